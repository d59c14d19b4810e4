"""The reader: from the right slice on, and one state of the file for each answer."""

from __future__ import annotations

import pytest

from tests.logs.sqlite_desks import (
    append,
    create,
    do,
    future,
    open_reader,
    open_writer,
    read_closed,
    read_slices,
)
from tickertape.core.errors import RunTrimmed, UnknownRun
from tickertape.core.events import TextDelta
from tickertape.logs import sqlite_writer
from tickertape.logs.sqlite_errors import LogUnavailable
from tickertape.logs.sqlite_jobs import Appended, ClosedRun, ReadHead
from tickertape.testing.log_probes import ENDED, RETENTION_S, started


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.db"


@pytest.fixture
def desks(path, monkeypatch):
    monkeypatch.setattr(sqlite_writer, "SLICE_RECORDS", 4)
    with open_writer(path) as writer, open_reader(path) as reader:
        yield writer, reader


@pytest.mark.parametrize(("after", "limit"), [(-1, 100), (-1, 3), (2, 1), (3, 4), (4, 9), (10, 1)])
async def test_a_read_begins_in_the_slice_that_holds_its_first_record(desks, after, limit):
    """And ends at the limit, or at the last slice."""
    writer, reader = desks
    do(writer, create("other"), create("r"))
    for number in range(10):
        do(writer, append("r", TextDelta(f"{number}")), append("other", TextDelta("x")))
    do(writer, append("r", ENDED))
    events = [started("r"), *(TextDelta(f"{number}") for number in range(10)), ENDED]
    expected = list(range(12))[after + 1 : after + 1 + limit]
    assert expected == read_slices(reader, 2, after=after, limit=limit)
    assert [events[at] for at in expected] == read_closed(reader, "r", after=after, limit=limit)


async def test_nothing_is_read_beyond_the_end(desks):
    """Nor where there is no slice yet."""
    writer, reader = desks
    do(writer, create("r"))
    assert [] == read_slices(reader, 1)
    do(writer, append("r", ENDED))
    assert [] == read_slices(reader, 1, after=1)


async def test_a_head_is_that_of_a_run_that_has_ended(desks):
    """Open runs are known elsewhere; others never were, or are trimmed."""
    writer, reader = desks
    do(writer, create("open", owner="ann"), create("ended", owner="ann"))
    do(writer, append("ended", ENDED, now=5.0))

    def head(run_id):
        return do(reader, ReadHead(future=future(), run_id=run_id))[0]

    assert ClosedRun("ann", 2, 5.0, None, epoch=1) == head("ended")
    assert isinstance(head("open"), UnknownRun)
    assert isinstance(head("x"), UnknownRun)
    do(writer, create("later", now=5.0 + RETENTION_S))
    assert isinstance(head("ended"), RunTrimmed)


async def test_a_read_holds_up_no_writer(desks):
    """However long it takes: it reads the file as it was when it began."""
    writer, reader = desks
    do(writer, create("r"))
    reader._connection.execute("BEGIN")
    count = "SELECT COUNT(*) FROM slices"
    assert (0,) == reader._connection.execute(count).fetchone()
    (stored,) = do(writer, append("r", ENDED))
    assert Appended(1, 2, 2) == stored
    assert (0,) == reader._connection.execute(count).fetchone()
    reader._connection.execute("ROLLBACK")
    assert [started("r"), ENDED] == read_closed(reader, "r")


async def test_an_error_of_one_job_is_its_own(desks):
    """Also when it is SQLite's."""
    writer, reader = desks
    do(writer, create("r"))
    do(writer, append("r", ENDED))
    writer._connection.execute("ALTER TABLE slices RENAME TO hidden")
    with pytest.raises(LogUnavailable, match="no such table"):
        read_closed(reader, "r")
    writer._connection.execute("ALTER TABLE hidden RENAME TO slices")
    assert [started("r"), ENDED] == read_closed(reader, "r")
