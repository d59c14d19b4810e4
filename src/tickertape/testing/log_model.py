"""A log as a plain list per run, with which a real log must agree through any history.

`log_contract` uses it, with the histories of `log_history`. Knows the contract only,
and no log.
"""

# ruff: noqa: SIM300  # expected == actual, as in all tests

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, assert_never

import pytest

from tickertape.core.errors import (
    CursorBeyondEnd,
    IdempotencyConflict,
    LeaseHeld,
    LogClosed,
    RunTrimmed,
    StaleEpoch,
    TickertapeError,
)
from tickertape.core.events import CancelledBy, Event, RunEnded
from tickertape.core.record import BEGINNING, Record
from tickertape.logs.base import EventLog, LapsedRun, Watch
from tickertape.testing.log_history import (
    Action,
    Add,
    Cancel,
    Crash,
    End,
    History,
    NoteRead,
    Pass,
    Read,
    Release,
    Renew,
    Start,
    TakeOver,
)
from tickertape.testing.log_probes import (
    ENDED,
    RETENTION_S,
    TERM_S,
    Bell,
    Clock,
    read_all,
    started,
)


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
    holder: str | None
    last_read_at: float
    epoch: int = 1
    closed_at: float | None = None
    cancel_by: CancelledBy | None = None
    is_trimmed: bool = False
    bell: Bell = field(default_factory=Bell)
    watch: Watch | None = None

    def missing(self) -> TickertapeError | None:
        return RunTrimmed(self.run_id) if self.is_trimmed else None


class _Leases:
    """When each holder's lease runs out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expires_at: dict[str, float] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._expires_at))

    def renew(self, holder: str) -> bool:
        expired_at = self._expires_at.get(holder)
        self._expires_at[holder] = self._clock() + TERM_S
        return expired_at is None or self._clock() < expired_at

    def release(self, holder: str) -> None:
        self._expires_at.pop(holder, None)

    def has_lapsed(self, holder: str | None) -> bool:
        return holder is not None and self._expires_at.get(holder, 0.0) <= self._clock()


class _Model:
    """The list for each run, beside the log that is being tested."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self.log = log
        self.clock = clock
        self.runs: list[_Run] = []
        self.leases = _Leases(clock)
        self._starts = 0

    def run(self, number: int) -> _Run:
        return self.runs[number % len(self.runs)]

    async def do(self, step: Action) -> None:
        match step:
            case Start():
                await self.start(step)
            case Add():
                await self.add(self.run(step.run), list(step.events) * step.times, step.behind)
            case End():
                await self.add(self.run(step.run), [ENDED], behind=0)
            case Read():
                await self.read(self.run(step.run), step)
            case NoteRead():
                await self.note_read(self.run(step.run))
            case Cancel():
                await self.cancel(self.run(step.run), step.by)
            case Renew():
                is_unbroken = await self.log.renew(step.holder, term_s=TERM_S)
                assert self.leases.renew(step.holder) == is_unbroken
            case Release():
                await self.log.release(step.holder)
                self.leases.release(step.holder)
            case TakeOver():
                await self.take_over(self.run(step.run), step)
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
            holder=step.holder,
        )
        if found is not None and found.fingerprint != step.fingerprint:
            await _expect(call, IdempotencyConflict("k"))
            return
        created = await call
        if found is not None:
            assert (found.run_id, False) == (created.run_id, created.is_new)
            return
        assert (run_id, 1, True) == (created.run_id, created.epoch, created.is_new)
        now = self.clock()
        run = _Run(
            run_id,
            step.owner,
            step.key,
            step.fingerprint,
            [Record(0, started(run_id), 1, now)],
            step.holder,
            last_read_at=now,
        )
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

    async def add(self, run: _Run, events: list[Event], behind: int) -> None:
        epoch = run.epoch - behind
        call = self.log.append(run.run_id, events, epoch=epoch)
        if refusal := run.missing():
            await _expect(call, refusal)
        elif behind:
            await _expect(call, StaleEpoch(held=epoch, current=run.epoch))
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

    async def take_over(self, run: _Run, step: TakeOver) -> None:
        epoch = run.epoch - step.behind
        call = self.log.take_over(run.run_id, holder=step.holder, epoch=epoch)
        if refusal := run.missing():
            await _expect(call, refusal)
        elif run.closed_at is not None:
            await _expect(call, LogClosed(run.run_id))
        elif step.behind:
            await _expect(call, StaleEpoch(held=epoch, current=run.epoch))
        elif run.holder != step.holder and not self.leases.has_lapsed(run.holder):
            await _expect(call, LeaseHeld(run.run_id))
        else:
            gained = await call
            assert gained > epoch
            run.epoch, run.holder = gained, step.holder

    async def note_read(self, run: _Run) -> None:
        await self.log.note_read([run.run_id])
        run.last_read_at = self.clock()

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
            is_closed = run.closed_at is not None
            assert (run.owner, len(run.records), is_closed, run.cancel_by, run.epoch) == (
                head.owner,
                head.end_offset,
                head.is_closed,
                head.cancel_requested_by,
                head.epoch,
            )
            if is_closed:
                assert head.holder is None
            else:
                assert (run.holder, run.last_read_at) == (head.holder, head.last_read_at)
            assert run.records == await read_all(self.log, run.run_id)
        await self.expect_lapsed()

    async def expect_lapsed(self) -> None:
        """Compare what may be taken over."""
        lapsed = {
            LapsedRun(run.run_id, run.epoch)
            for run in self.runs
            if run.closed_at is None and self.leases.has_lapsed(run.holder)
        }
        assert lapsed == set(await self.log.lapsed())

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
            head = await log.head(run.run_id)
            assert head.epoch > run.epoch if added else head.epoch == run.epoch
            # A request that no writer saw may be gone with its writer.
            run.cancel_by = head.cancel_requested_by
            run.epoch, run.last_read_at = head.epoch, head.last_read_at
            run.watch = log.watch(run.run_id, run.bell.ring)
        await self.expect_lapsed()
        # A log that ended all that was open may have forgotten the leases as well.
        for holder in self.leases:
            await log.renew(holder, term_s=TERM_S)
            self.leases.renew(holder)


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
