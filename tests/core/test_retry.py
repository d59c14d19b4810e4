"""Backoff: waits double, are cut at random, and end."""

from __future__ import annotations

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.core.retry import Backoff

BACKOFF = Backoff(first_s=1, longest_s=5, max_retries=4, longest_asked_s=60)


def test_the_longest_wait_doubles_up_to_its_limit():
    """With the highest chance, the waits are the ceilings: 1, 2, 4, and then the limit."""
    assert [1, 2, 4, 5] == [BACKOFF.wait_s(failures, fraction=1) for failures in range(1, 5)]


def test_jitter_is_full():
    """Chance decides on the whole wait, down to none at all."""
    assert [0, 0.5, 1.0] == [BACKOFF.wait_s(2, fraction=chance) for chance in (0, 0.25, 0.5)]


def test_it_gives_up_after_the_last_retry():
    """The fifth failure in a row is one too many."""
    assert BACKOFF.wait_s(5, fraction=0) is None


def test_a_server_is_not_asked_again_before_it_said():
    """`Retry-After` is the least; jitter can only add to it."""
    assert [30, 30, 5] == [
        BACKOFF.wait_s(1, fraction=1, asked_s=30),
        BACKOFF.wait_s(1, fraction=0, asked_s=30),
        BACKOFF.wait_s(4, fraction=1, asked_s=3),
    ]


def test_a_server_that_asks_for_too_long_is_given_up():
    """Nobody waits an hour without being told."""
    assert BACKOFF.wait_s(1, fraction=0, asked_s=60) == 60
    assert BACKOFF.wait_s(1, fraction=0, asked_s=61) is None


def test_any_number_of_retries_has_a_wait():
    """Doubling does not overflow."""
    patient = Backoff(max_retries=10**6)
    assert patient.longest_s == patient.wait_s(10**6, fraction=1)


@pytest.mark.parametrize("field", ["first_s", "longest_s", "max_retries", "longest_asked_s"])
def test_negative_settings_are_refused(field):
    """The error names the setting and its value."""
    with pytest.raises(ConfigurationError, match=f"{field} .*-1"):
        Backoff(**{field: -1})
