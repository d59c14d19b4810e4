"""What tests of a log share: a clock, a bell, readers, and events of every kind."""

# ruff: noqa: SIM300  # expected == actual, as in all tests

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import pytest

from tickertape.core.errors import LogClosed, LogError, StaleEpoch
from tickertape.core.events import (
    AttemptEnded,
    ChoiceFinished,
    Event,
    FilterReported,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunError,
    RunStarted,
    TextDelta,
    Timings,
    ToolCallDelta,
    UnknownEvent,
    Usage,
    UsageReported,
)
from tickertape.core.record import BEGINNING, Record
from tickertape.logs.base import EventLog

RETENTION_S: Final = 60.0
TERM_S: Final = 10.0
"""How long a lease lasts that is not renewed."""
PATIENCE_S = 10.0
"""How long a wake-up may take before it counts as left out."""

ENDED: Final = RunEnded(
    outcome="completed", length=0, timings=Timings(first_progress_s=None, duration_s=0.0)
)


def started(run_id: str) -> RunStarted:
    """Return the first event of the run with this id."""
    return RunStarted(run_id=run_id, model="m", provider="p", created_at=0.0)


def every_kind_of_event() -> list[Event]:
    """Return one event of each kind that may stand between start and end, all fields in use."""
    error = RunError(code="rate_limited", message="Too many „requests“\n", is_retryable=True)
    usage = Usage(input_tokens=1, output_tokens=0, total_tokens=2**40, reasoning_tokens=3)
    return [
        AttemptEnded(
            provider="p", model="m", result="failed", begun_s=0.1, ended_s=1 / 3, error=error
        ),
        TextDelta('quotes "', 1),
        TextDelta("lines\r\n\u2028\x00 and 答え 👨‍👩‍👧"),
        TextDelta(""),
        ReasoningDelta("hm"),
        RefusalDelta("no", 2),
        ToolCallDelta(index=1, id="i", name="n", arguments='{"a":'),
        FilterReported(subject="completion", annotations={"hate": {"filtered": False}}, choice=0),
        UnknownEvent("new_thing", b'{"type":"new_thing","list":[1,{"x":null}]}'),
        UsageReported(usage),
        ChoiceFinished(finish_reason="stop", raw_finish_reason="eos"),
    ]


async def read_all(log: EventLog, run_id: str) -> list[Record]:
    """Return all records of the run, read step by step."""
    records: list[Record] = []
    while part := (await log.read(run_id, after=len(records) - 1, limit=100)).records:
        records += part
    return records


class Clock:
    """A clock that is set by hand. Calling it gives UTC seconds since the epoch."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


class Bell:
    """A wake-up that can be awaited."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def has_rung(self) -> bool:
        """Tell whether it has rung since the last `rung`."""
        return self._event.is_set()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._event.set()

    async def rung(self) -> None:
        """Return when it has rung since the last time.

        Raises:
            TimeoutError: it did not, though it was waited for.
        """
        async with asyncio.timeout(PATIENCE_S):
            await self._event.wait()
        self._event.clear()


async def expect_stretches(log: EventLog, events: list[Event]) -> None:
    """Expect that run `r` has these events, whatever stretch of them is read."""
    is_closed = events[-1] == ENDED
    for after in (BEGINNING, 0, 1, 254, 255, 256, 700, 1100, len(events) - 2, len(events) - 1):
        for limit in (1, 2, 255, 256, 257, 1024, 5000):
            part = await log.read("r", after=after, limit=limit)
            expected = list(enumerate(events))[after + 1 : after + 1 + limit]
            assert expected == [(record.offset, record.event) for record in part.records]
            is_last = after + len(expected) == len(events) - 1
            assert part.is_closed == (is_closed and is_last)


async def follow(log: EventLog, run_id: str) -> list[Record]:
    """Return the run's records as a live reader gets them, up to its end."""
    bell = Bell()
    watch = log.watch(run_id, bell.ring)
    records: list[Record] = []
    while True:
        part = await log.read(run_id, after=len(records) - 1, limit=7)
        records += part.records
        if part.is_closed:
            break
        if not part.records:
            await bell.rung()
    watch.close()
    return records


async def expect_lost(log: EventLog, run_id: str, added: list[Record]) -> None:
    """Expect that the log has ended the run, or that it is open still, for a writer to go on."""
    if not added:
        assert not (await log.head(run_id)).is_closed
        return
    (record,) = added
    assert isinstance(record.event, RunEnded)
    assert record.event.error is not None
    assert ("failed", "producer_lost") == (record.event.outcome, record.event.error.code)
    assert record.epoch > 1
    with pytest.raises(LogError) as refused:
        await log.append(run_id, [TextDelta("too late")], epoch=1)
    assert isinstance(refused.value, StaleEpoch | LogClosed)


def text_of(records: Sequence[Record]) -> str:
    """Return the records' text."""
    return "".join(record.event.text for record in records if isinstance(record.event, TextDelta))
