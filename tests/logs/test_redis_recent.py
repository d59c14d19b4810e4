"""What a process remembers of a run: what it serves, and what it takes for a contradiction."""

from __future__ import annotations

import pytest

from tickertape.core.events import TextDelta
from tickertape.core.record import Record
from tickertape.logs.redis_recent import KEPT_BYTES, KEPT_RECORDS, RecentRun
from tickertape.testing.log_probes import ENDED


def records(first, count, *, epoch=1, text="a"):
    return [Record(first + n, TextDelta(f"{text}{first + n}"), epoch, 1.0) for n in range(count)]


@pytest.fixture
def run():
    run = RecentRun("r", keys=(b"run", b"records"), tape=b"tape")
    run.is_live = True
    assert run.take(records(0, 4), 40)
    return run


def offsets(part):
    return None if part is None else [record.offset for record in part.records]


def test_any_cursor_that_is_remembered_is_served(run):
    """Up to the limit, and with nothing where there is nothing yet."""
    assert [0, 1, 2, 3] == offsets(run.read(-1, 9))
    assert [2] == offsets(run.read(1, 1))
    assert [] == offsets(run.read(3, 9))


def test_what_is_not_known_here_is_asked_for_elsewhere(run):
    """A cursor beyond the end, one before what is remembered, and any of a run that is not live."""
    assert run.read(4, 9) is None
    assert run.read(-2, 9) is None
    run.begin(10)
    assert run.read(8, 9) is None
    assert [] == offsets(run.read(9, 9))
    run.is_live = False
    assert run.read(9, 9) is None


def test_what_is_known_already_changes_nothing(run):
    """A message that comes late, or twice."""
    assert run.take(records(2, 2), 20)
    assert [0, 1, 2, 3] == offsets(run.read(-1, 9))


@pytest.mark.parametrize(
    "other",
    [records(2, 2, epoch=2), records(2, 2, text="b"), records(2, 3), records(3, 2)],
    ids=["of another epoch", "of another text", "longer", "in other pieces"],
)
def test_p1_another_history_is_a_contradiction(run, other):
    """Something else stands where something was given out."""
    assert not run.take(other, 20)
    assert records(0, 4) == list(run.read(-1, 9).records)


def test_a_gap_begins_anew(run):
    """What lies between is read from Redis."""
    assert run.take(records(6, 2), 20)
    assert run.read(3, 9) is None
    assert [6, 7] == offsets(run.read(5, 9))


def test_the_end_closes(run):
    """With the last record, and not before."""
    assert run.take([Record(4, ENDED, 1, 9.0)], 20)
    assert 9.0 == run.closed_at
    assert not run.read(-1, 4).is_closed
    assert run.read(-1, 5).is_closed


def test_p1_who_watched_when_records_were_lost_is_told_until_it_leaves(run):
    """Whose cursor is before the loss reads on; who comes later sees what is there then."""
    run.wakes["watch"] = lambda: None
    run.lose(2)
    run.is_live = True
    assert run.take(records(2, 3, epoch=2), 30)
    assert [2, 3, 4] == offsets(run.read(1, 9))
    assert run.read(2, 9) is None
    assert 2 == run.lost_from
    run.leave("watch")
    assert run.lost_from is None
    assert [3, 4] == offsets(run.read(2, 9))


def test_p6_memory_is_bounded_by_number_and_by_size(run):
    """The last append is always there."""
    for first in range(4, 4 + 10 * KEPT_RECORDS, 4):
        run.take(records(first, 4), 40)
        assert len(run.records) <= KEPT_RECORDS + 4
        assert run.end_offset == run.first_offset + len(run.records)
    end = run.end_offset
    run.take(records(end, 2), 2 * KEPT_BYTES)
    assert [end, end + 1] == [record.offset for record in run.records]
