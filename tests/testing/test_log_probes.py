"""What tests of a log share."""

from __future__ import annotations

import pytest

from tickertape.core.codec import decode_event, encode_event
from tickertape.core.events import TextDelta
from tickertape.core.record import Record
from tickertape.logs.memory import MemoryLog
from tickertape.testing import log_probes
from tickertape.testing.log_probes import (
    Bell,
    Clock,
    every_kind_of_event,
    expect_lost,
    started,
    text_of,
)


def test_every_kind_of_event_can_be_stored():
    """As JSON, and back."""
    events = every_kind_of_event()
    assert events == [decode_event(encode_event(event)) for event in events]


def test_a_clock_stands_still_until_it_is_set():
    """And then shows that."""
    clock = Clock()
    before = clock()
    clock.now_s += 5
    assert before + 5 == clock()


async def test_a_bell_that_has_rung_is_not_waited_for():
    """It rings once for any number of times before."""
    bell = Bell()
    bell.ring()
    bell.ring()
    await bell.rung()
    assert not bell.has_rung


async def test_a_bell_that_does_not_ring_is_an_error(monkeypatch):
    """Not a test that hangs."""
    monkeypatch.setattr(log_probes, "PATIENCE_S", 0.01)
    with pytest.raises(TimeoutError):
        await Bell().rung()


async def test_a_lost_run_may_have_nothing_but_an_end_added():
    """Text that nobody appended is no end."""
    log = MemoryLog()
    await log.create(started("r"))
    await expect_lost(log, "r", [])
    with pytest.raises(AssertionError):
        await expect_lost(log, "r", [Record(1, TextDelta("a"), 2, 0.0)])


def test_the_text_is_that_of_the_text_deltas():
    """In order."""
    events = [started("r"), TextDelta("a"), TextDelta("b")]
    assert "ab" == text_of([Record(at, event, 1, 0.0) for at, event in enumerate(events)])
