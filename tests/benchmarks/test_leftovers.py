"""The benchmark of what is left behind, and with few runs the promise itself."""

from __future__ import annotations

import pytest

from benchmarks import leftovers


def test_runs_leave_nothing_behind(capfd):
    """No file, thread or task, and no warning, whichever way a stream ended."""
    before, after = leftovers.measure(3 * len(leftovers.KINDS))
    kept = ("open files", "threads", "tasks")
    assert [before[what] for what in kept] == [after[what] for what in kept]
    assert "" == capfd.readouterr().err


@pytest.mark.parametrize(("after", "reached"), [(8, True), (9, False)])
def test_what_was_left_is_told(monkeypatch, after, reached):
    """As the difference, and none is allowed."""
    before = dict.fromkeys(("open files", "threads", "tasks", "memory"), 8)
    monkeypatch.setattr(leftovers, "measure", lambda runs: (before, {**before, "threads": after}))
    found = {finding.name: finding for finding in leftovers.run(quick=True)}
    finding = found["threads left by 100 runs"]
    assert (after - 8, reached) == (finding.figures["ours"], finding.is_reached)
    assert (f"8 before, {after} after",) == finding.notes
