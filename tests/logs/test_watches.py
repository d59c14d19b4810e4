"""Who is to be called."""

from __future__ import annotations

from tickertape.logs.watches import Watches


def test_whoever_watches_is_called_in_order():
    """And nobody who watches something else."""
    watches = Watches()
    watches.add("r", first := (lambda: None))
    watches.add("r", second := (lambda: None))
    watches.add("s", lambda: None)
    assert (first, second) == watches.of("r")
    assert () == watches.of("t")


def test_watches_that_are_closed_leave_nothing_behind():
    """Closing is safe to repeat, and leaves later watches alone."""
    watches = Watches()
    early = watches.add("r", print)
    early.close()
    assert 0 == len(watches)
    watches.add("r", repr)
    early.close()
    assert (repr,) == watches.of("r")
