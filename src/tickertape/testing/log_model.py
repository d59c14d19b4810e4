"""A log as a plain list per run, and random histories that a real log must agree with.

`log_contract` uses it. Knows the contract only, and no log.
"""

# ruff: noqa: SIM300  # expected == actual, as in all tests

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, assert_never

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Struct

from tickertape.core.errors import (
    CursorBeyondEnd,
    IdempotencyConflict,
    LogClosed,
    RunTrimmed,
    StaleEpoch,
    TickertapeError,
)
from tickertape.core.events import (
    CancelledBy,
    Event,
    RunEnded,
    TextDelta,
    ToolCallDelta,
)
from tickertape.core.record import BEGINNING, Record
from tickertape.logs.base import EventLog, Watch
from tickertape.testing.log_probes import (
    ENDED,
    RETENTION_S,
    Bell,
    Clock,
    every_kind_of_event,
    read_all,
    started,
)


class Start(Struct, frozen=True):
    """Start a run; a key is one of a few."""

    owner: str | None
    key: str | None
    fingerprint: str


class Add(Struct, frozen=True):
    """Append the events, `times` times over, to the run of that number."""

    run: int
    events: Sequence[Event]
    times: int
    is_fenced: bool


class End(Struct, frozen=True):
    """End the run."""

    run: int


class Read(Struct, frozen=True):
    """Read the run from a cursor, given in parts of its length."""

    run: int
    part: float
    limit: int


class Cancel(Struct, frozen=True):
    """Request cancel."""

    run: int
    by: CancelledBy


class Pass(Struct, frozen=True):
    """Let time pass, and start a run of no further interest, which makes logs trim."""

    seconds: float


class Crash(Struct, frozen=True):
    """Kill the log's process, where a log survives that, and open it again."""


Step: TypeAlias = Start | Add | End | Read | Cancel | Pass | Crash
History: TypeAlias = Sequence[Step]

_numbers = st.integers(0, 3)
_texts = st.text(max_size=12)
_events: SearchStrategy[Event] = (
    st.builds(TextDelta, _texts)
    | st.builds(TextDelta, _texts, st.integers(0, 1))
    | st.builds(ToolCallDelta, index=st.integers(0, 1), arguments=_texts)
    | st.sampled_from(every_kind_of_event())
)
_starts = st.builds(
    Start,
    st.sampled_from([None, "", "ann"]),
    st.sampled_from([None, None, "k", "l"]),
    st.sampled_from(["f", "f", "g"]),
)
_adds = st.builds(
    Add,
    _numbers,
    st.lists(_events, min_size=1, max_size=4),
    # Enough, at times, to make a log store what it holds in another way.
    st.sampled_from([1, 1, 1, 1, 30, 150]),
    st.sampled_from([False, False, False, True]),
)
_reads = st.builds(
    Read, _numbers, st.floats(0, 1) | st.sampled_from([0.0, 1.0, 1.5]), st.integers(1, 600)
)
_cancels = st.builds(Cancel, _numbers, st.sampled_from(["user", "abandoned", "shutdown"]))
_passes = st.builds(Pass, st.sampled_from([1.0, RETENTION_S / 2, RETENTION_S - 1, RETENTION_S + 1]))
_ends = st.builds(End, _numbers)
_steps: SearchStrategy[Step] = st.one_of(
    _adds, _adds, _adds, _adds, _reads, _reads, _starts, _ends, _cancels, _passes, st.builds(Crash)
)


def histories() -> SearchStrategy[History]:
    """Return random histories of a log, the first step a start."""
    first = st.builds(Start, st.none(), st.sampled_from([None, "k"]), st.just("f"))
    rest = st.lists(_steps, min_size=5, max_size=40)
    return st.builds(lambda step, steps: [step, *steps], first, rest)


class OpenLog(Protocol):
    """How a log is opened, see `LogContract.open_log`."""

    def __call__(
        self, place: Path, *, retention_s: float, now: Callable[[], float]
    ) -> AbstractAsyncContextManager[EventLog]:
        """Return what opens it."""


@dataclass
class _Run:
    """What a list knows of a run."""

    run_id: str
    owner: str | None
    key: str | None
    fingerprint: str
    records: list[Record]
    closed_at: float | None = None
    cancel_by: CancelledBy | None = None
    is_trimmed: bool = False
    bell: Bell = field(default_factory=Bell)
    watch: Watch | None = None

    def missing(self) -> TickertapeError | None:
        return RunTrimmed(self.run_id) if self.is_trimmed else None


class _Model:
    """The list for each run, beside the log that is being tested."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self.log = log
        self.clock = clock
        self.runs: list[_Run] = []
        self._starts = 0

    def run(self, number: int) -> _Run:
        return self.runs[number % len(self.runs)]

    async def do(self, step: Start | Add | End | Read | Cancel | Pass) -> None:
        match step:
            case Start():
                await self.start(step)
            case Add():
                await self.add(self.run(step.run), list(step.events) * step.times, step.is_fenced)
            case End():
                await self.add(self.run(step.run), [ENDED], is_fenced=False)
            case Read():
                await self.read(self.run(step.run), step)
            case Cancel():
                await self.cancel(self.run(step.run), step.by)
            case Pass():
                await self.pass_time(step.seconds)
            case _:
                assert_never(step)

    async def start(self, step: Start) -> None:
        self._starts += 1
        run_id = f"run-{self._starts}"
        found = self.named(step)
        call = self.log.create(
            started(run_id),
            owner=step.owner,
            idempotency_key=step.key,
            fingerprint=step.fingerprint,
        )
        if found is not None and found.fingerprint != step.fingerprint:
            await _expect(call, IdempotencyConflict("k"))
            return
        created = await call
        if found is not None:
            assert (found.run_id, False) == (created.run_id, created.is_new)
            return
        assert (run_id, 1, True) == (created.run_id, created.epoch, created.is_new)
        record = Record(0, started(run_id), 1, self.clock())
        run = _Run(run_id, step.owner, step.key, step.fingerprint, [record])
        run.watch = self.log.watch(run_id, run.bell.ring)
        self.runs.append(run)
        if step.key is not None:
            found_id = await self.log.find(step.key, owner=step.owner, fingerprint=step.fingerprint)
            assert run_id == found_id

    def named(self, step: Start) -> _Run | None:
        """Return the run that the step's key names."""
        for run in self.runs:
            is_named = step.key is not None and (run.owner, run.key) == (step.owner, step.key)
            if is_named and not run.is_trimmed:
                return run
        return None

    async def add(self, run: _Run, events: list[Event], is_fenced: bool) -> None:
        epoch = run.records[-1].epoch + (1 if is_fenced else 0)
        call = self.log.append(run.run_id, events, epoch=epoch)
        if refusal := run.missing():
            await _expect(call, refusal)
        elif is_fenced:
            await _expect(call, StaleEpoch(held=epoch, current=epoch - 1))
        elif run.closed_at is not None:
            await _expect(call, LogClosed(run.run_id))
        else:
            end_offset = len(run.records)
            assert end_offset + len(events) == await call
            run.records += [
                Record(offset, event, epoch, self.clock())
                for offset, event in enumerate(events, end_offset)
            ]
            if events[-1] == ENDED:
                run.closed_at = self.clock()
            await run.bell.rung()

    async def read(self, run: _Run, step: Read) -> None:
        after = BEGINNING + round(step.part * len(run.records))
        call = self.log.read(run.run_id, after=after, limit=step.limit)
        if refusal := run.missing():
            await _expect(call, refusal)
        elif after >= len(run.records):
            await _expect(call, CursorBeyondEnd(after, end_offset=len(run.records)))
        else:
            part = await call
            expected = run.records[after + 1 : after + 1 + step.limit]
            assert expected == list(part.records)
            is_all = after + 1 + len(expected) == len(run.records)
            assert part.is_closed == (is_all and run.closed_at is not None)

    async def cancel(self, run: _Run, by: CancelledBy) -> None:
        call = self.log.request_cancel(run.run_id, by)
        if refusal := run.missing():
            await _expect(call, refusal)
            return
        await call
        if run.closed_at is None and run.cancel_by is None:
            run.cancel_by = by

    async def pass_time(self, seconds: float) -> None:
        self.clock.now_s += seconds
        for run in self.runs:
            if run.closed_at is not None and run.closed_at <= self.clock() - RETENTION_S:
                run.is_trimmed = True
        self._starts += 1
        await self.log.create(started(f"run-{self._starts}"))

    async def expect_all(self) -> None:
        """Compare every run with its list."""
        for run in self.runs:
            if refusal := run.missing():
                await _expect(self.log.head(run.run_id), refusal)
                continue
            head = await self.log.head(run.run_id)
            assert (run.owner, len(run.records), run.closed_at is not None, run.cancel_by) == (
                head.owner,
                head.end_offset,
                head.is_closed,
                head.cancel_requested_by,
            )
            assert run.records == await read_all(self.log, run.run_id)

    async def reopened(self, log: EventLog) -> None:
        """Go on with the log that was opened after a crash."""
        self.log = log
        for run in self.runs:
            if run.is_trimmed or run.closed_at is not None:
                continue
            # It may have been ended; nothing else may have been added, and nothing lost.
            records = await read_all(log, run.run_id)
            assert run.records == records[: len(run.records)]
            added = [record.event for record in records[len(run.records) :]]
            assert [] == added or [RunEnded] == [type(event) for event in added]
            run.records = records
            run.closed_at = self.clock() if added else None
            # A request that no writer saw may be gone with its writer.
            run.cancel_by = (await log.head(run.run_id)).cancel_requested_by
            run.watch = log.watch(run.run_id, run.bell.ring)


async def play(
    history: History,
    folder: Path,
    *,
    open_log: OpenLog,
    after_crash: Callable[[Path], Path | None],
) -> None:
    """Do what the history says, and compare the log with a list at each step."""
    clock = Clock()
    place = folder / "log"
    place.mkdir()
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(open_log(place, retention_s=RETENTION_S, now=clock))
        model = _Model(log, clock)
        for step in history:
            if not isinstance(step, Crash):
                await model.do(step)
                continue
            left = after_crash(place)
            if left is None:
                continue
            await stack.aclose()
            place = left
            log = await stack.enter_async_context(
                open_log(place, retention_s=RETENTION_S, now=clock)
            )
            await model.reopened(log)
            await model.expect_all()
        await model.expect_all()


async def _expect(call: Awaitable[object], error: TickertapeError) -> None:
    """Expect that the call raises an error of this very kind."""
    with pytest.raises(TickertapeError) as raised:
        await call
    assert type(error) is type(raised.value)
