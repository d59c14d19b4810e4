"""Leases: granted, renewed, run out, taken over."""

from __future__ import annotations

import pytest

from tickertape.core.errors import LeaseHeld, StaleEpoch
from tickertape.core.lease import Leases


def taken_over(leases, *, held_by, holder, epoch=1, held=1, now=0.0):
    leases.require_free("r", held_by=held_by, held=held, holder=holder, epoch=epoch, now=now)


def test_a_lease_lasts_its_term_and_not_a_moment_longer():
    """It has run out when its term is over."""
    leases = Leases()
    assert leases.renew("a", now=10.0, term_s=5.0)
    assert not leases.has_lapsed("a", now=14.9)
    assert leases.has_lapsed("a", now=15.0)


def test_renewing_in_time_keeps_it():
    """Its term counts from now."""
    leases = Leases()
    leases.renew("a", now=10.0, term_s=5.0)
    assert leases.renew("a", now=14.0, term_s=5.0)
    assert not leases.has_lapsed("a", now=18.0)


def test_renewing_too_late_says_so():
    """Somebody may have taken over; afterwards it is a lease like any other."""
    leases = Leases()
    leases.renew("a", now=10.0, term_s=5.0)
    assert not leases.renew("a", now=15.0, term_s=5.0)
    assert leases.renew("a", now=16.0, term_s=5.0)


def test_a_released_lease_has_lapsed():
    """And so has one that never was; a run that has no holder never lapses."""
    leases = Leases()
    leases.renew("a", now=10.0, term_s=5.0)
    leases.release("a")
    leases.release("a")
    assert leases.has_lapsed("a", now=11.0)
    assert leases.has_lapsed("stranger", now=11.0)
    assert not leases.has_lapsed(None, now=1e9)


def test_a_run_is_its_holders_until_the_lease_runs_out():
    """Then anybody may have it."""
    leases = Leases()
    leases.renew("a", now=0.0, term_s=5.0)
    with pytest.raises(LeaseHeld, match="'r'"):
        taken_over(leases, held_by="a", holder="b", now=4.0)
    taken_over(leases, held_by="a", holder="b", now=5.0)


def test_of_two_who_take_over_one_is_too_late():
    """It knows an older epoch."""
    with pytest.raises(StaleEpoch) as stale:
        taken_over(Leases(), held_by="b", holder="c", epoch=1, held=2)
    assert (1, 2) == (stale.value.held, stale.value.current)


def test_a_holder_may_take_over_from_itself():
    """Which gives it a new epoch."""
    leases = Leases()
    leases.renew("a", now=0.0, term_s=5.0)
    taken_over(leases, held_by="a", holder="a", now=1.0)


def test_nobody_takes_over_a_run_without_a_holder():
    """It is leased to nobody."""
    with pytest.raises(LeaseHeld):
        taken_over(Leases(), held_by=None, holder="a", now=1e9)
