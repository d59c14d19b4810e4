"""What a crash left open is ended once, with all that was committed of it."""

from __future__ import annotations

import shutil

import pytest

from tests.logs.sqlite.desks import append, create, do, open_reader, open_writer, read_closed
from tickertape.core.errors import StaleEpoch
from tickertape.core.events import TextDelta
from tickertape.logs.sqlite import writer as sqlite_writer
from tickertape.testing.log_probes import ENDED, started

TEXTS = [TextDelta(f"{number} ") for number in range(11)]


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "before"
    place.mkdir()
    return place / "log.db"


@pytest.fixture
def crash(path):
    """Leave what a killed process would, and return where."""

    def leave():
        return shutil.copytree(path.parent, path.parent.with_name("after")) / path.name

    return leave


@pytest.mark.parametrize("slice_records", [1, 2, 3, 5, 7, 100])
async def test_slices_and_journal_make_one_run(path, crash, monkeypatch, slice_records):
    """Wherever the boundary is; what stands in both counts once."""
    monkeypatch.setattr(sqlite_writer, "SLICE_RECORDS", slice_records)
    with open_writer(path) as writer:
        do(writer, create("r"))
        for at in range(0, 10, 2):
            # Two appends in one group: the first may stand in the journal and in a slice.
            do(writer, append("r", TEXTS[at]), append("r", TEXTS[at + 1]))
        do(writer, append("r", TEXTS[10]))
        left = crash()
    with open_writer(left), open_reader(left) as reader:
        *events, ended = read_closed(reader, "r")
    assert [started("r"), *TEXTS] == events
    assert ("producer_lost", sum(len(text.text) for text in TEXTS)) == (
        ended.error.code,
        ended.length,
    )


async def test_only_what_was_open_is_ended(path, crash):
    """Each open run once, and a run that had ended never."""
    with open_writer(path) as writer:
        do(writer, create("a"), create("ended"), create("b"))
        do(writer, append("ended", ENDED), append("b", TextDelta("b")))
        left = crash()
    for _ in range(2):
        with open_writer(left) as writer, open_reader(left) as reader:
            assert [started("ended"), ENDED] == read_closed(reader, "ended")
            assert 2 == len(read_closed(reader, "a"))
            assert 3 == len(read_closed(reader, "b"))
            (fenced,) = do(writer, append("a", TextDelta("late"), epoch=1))
            assert isinstance(fenced, StaleEpoch)
            assert (1, 2) == (fenced.held, fenced.current)


async def test_the_journal_begins_anew(path, crash):
    """Nothing in it belongs to a run that is open."""
    with open_writer(path) as writer:
        do(writer, create("a"))
        left = crash()
    with open_writer(left) as writer:
        rows = writer._connection.execute("SELECT COUNT(*) FROM journal").fetchone()
        assert (0,) == rows
        do(writer, create("b"))
        do(writer, append("b", TextDelta("b")))
        rows = writer._connection.execute("SELECT COUNT(*) FROM journal").fetchone()
        assert (2,) == rows
