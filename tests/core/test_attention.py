"""A run is given up when nobody has read it for long enough, and not a moment sooner."""

from __future__ import annotations

from tickertape.core.attention import Attention


def looked(attention, until_s, read_at):
    """Look whenever it is time, with `read_at(now)` as what the log says; return when it ended."""
    now_s = attention.look_at_s
    while now_s <= until_s:
        if attention.look(read_at(now_s), now_s=now_s):
            return now_s
        assert attention.look_at_s >= now_s
        now_s = max(attention.look_at_s, now_s + 1.0)  # the keeper's own pace
    return None


def test_a_run_that_nobody_reads_is_given_up():
    """At its time, and one look later."""
    assert 161.0 == looked(Attention(now_s=100.0, abandon_after_s=60.0), 1000, lambda _: 7.0)


def test_a_run_that_is_read_is_not():
    """However the log's clock runs: only that it says something else counts."""
    attention = Attention(now_s=100.0, abandon_after_s=60.0)
    assert looked(attention, 1000, lambda now_s: -now_s) is None


def test_the_time_counts_from_the_last_reading():
    """Late by as long as there is between two looks, at most."""
    attention = Attention(now_s=0.0, abandon_after_s=60.0)
    given_up_at_s = looked(attention, 1000, lambda now_s: min(now_s, 200.0))
    assert 260.0 <= given_up_at_s <= 260.0 + 60.0 / 4 + 1.0


def test_what_could_not_be_seen_is_excused():
    """The time begins anew."""
    attention = Attention(now_s=0.0, abandon_after_s=60.0)
    attention.look(1.0, now_s=0.0)
    assert not attention.look(1.0, now_s=60.0)
    attention.excuse(now_s=61.0)
    assert 122.0 == looked(attention, 1000, lambda _: 1.0)
