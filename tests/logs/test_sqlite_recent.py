"""What the event loop remembers of runs."""

from __future__ import annotations

from tickertape.core.events import TextDelta
from tickertape.core.lease import Leases
from tickertape.logs import sqlite_recent
from tickertape.logs.base import LapsedRun
from tickertape.logs.sqlite_recent import RecentRun, RecentRuns


def new_run(*, holder=None):
    return RecentRun(1, owner=None, holder=holder, created_at=5.0)


def run_of(*sliced_offsets):
    """Return a run after one append of ten records for each of these."""
    run = new_run()
    for sliced_offset in sliced_offsets:
        run.add([TextDelta("x")] * 10, epoch=1, appended_at=0.0, sliced_offset=sliced_offset)
    return run


def test_everything_is_remembered_until_there_is_a_slice():
    """And it is read by offset."""
    run = run_of(0, 0, 0)
    assert (0, 30, 30) == (run.first_offset, run.end_offset, len(run.records))
    assert [5, 6, 7] == [record.offset for record in run.after(4, limit=3)]
    assert [] == run.after(29, limit=3)


def test_the_slice_before_the_last_is_forgotten():
    """So a reader that is a little behind still reads from here."""
    run = run_of(0, 20, 20, 40, 40)
    assert (20, 50) == (run.first_offset, run.end_offset)
    assert (False, True, True) == (run.has(19), run.has(20), run.has(50))
    assert list(range(20, 50)) == [record.offset for record in run.after(19, limit=100)]


def test_a_slice_that_is_behind_the_last_append_counts_too():
    """The journal may give up what is old without giving up what is new."""
    run = run_of(0, 0, 10)
    assert (0, 10, 30) == (run.first_offset, run.sliced_offset, len(run.records))


def test_the_run_that_ended_longest_ago_is_forgotten(monkeypatch):
    """Open ones never are."""
    monkeypatch.setattr(sqlite_recent, "ENDED_RUNS", 2)
    runs = RecentRuns()
    for run_id in "abcd":
        runs.add(run_id, new_run())
    for run_id in "bcd":
        runs.end(run_id, at=7.0)
    assert ["a", "c", "d"] == [run_id for run_id in "abcd" if runs.get(run_id) is not None]


def test_a_head_of_a_closed_run_has_no_holder():
    """And what counts as its last reading is its end, as in the file."""
    runs = RecentRuns()
    runs.add("r", new_run(holder="a"))
    head = runs.get("r").head("r")
    assert (False, "a", 5.0) == (head.is_closed, head.holder, head.last_read_at)
    runs.end("r", at=7.0)
    head = runs.get("r").head("r")
    assert (True, None, 7.0) == (head.is_closed, head.holder, head.last_read_at)


def test_open_runs_lapse_with_their_holders_lease():
    """Those that ended don't, though they are remembered."""
    runs = RecentRuns()
    for run_id, holder in {"lapsed": "a", "held": "b", "ended": "a", "nobodys": None}.items():
        runs.add(run_id, new_run(holder=holder))
    runs.end("ended", at=7.0)
    leases = Leases()
    leases.renew("b", now=0.0, term_s=10.0)
    assert [LapsedRun("lapsed", 1)] == list(runs.lapsed(leases, now=9.0))
