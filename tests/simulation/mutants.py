"""Code that is broken on purpose, one fault for each: proof that the simulation bites.

Each names the promises that it must be seen to break. A mutant is the real code with
one thing undone, in the way in which it is easily got wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from unittest.mock import patch

import msgspec

from tests.simulation import redis_model
from tests.simulation.log_link import LogLink
from tests.simulation.redis_data import RedisData
from tests.simulation.schedule import LogKind
from tickertape.client.reader import Reader
from tickertape.core.coalesce import merge
from tickertape.core.cursor import Cursor, parse_cursor
from tickertape.core.errors import LogError, LogUnavailable
from tickertape.core.events import (
    CancelledBy,
    Event,
    RunEnded,
    RunError,
    RunStarted,
    TextDelta,
    Timings,
)
from tickertape.core.record import Record
from tickertape.engine import lost_runs
from tickertape.engine.step import Step
from tickertape.engine.tail import Tail
from tickertape.logs.base import Created, LapsedRun, RunHead, Slice
from tickertape.logs.memory import MemoryLog
from tickertape.logs.redis_hearing import RedisHearing
from tickertape.logs.redis_port import Reply
from tickertape.logs.redis_recent import RecentRun
from tickertape.web import handlers


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to get it wrong."""

    name: str
    breaks: frozenset[str]
    """One of these promises must be seen broken."""
    patched: Callable[[], AbstractContextManager[object]] = nullcontext
    link: type[LogLink] = LogLink
    log: type[MemoryLog] = MemoryLog
    on: LogKind = "memory"


class _Unfenced(MemoryLog):
    """Takes appends of any epoch."""

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        return await super().append(run_id, events, epoch=self._run(run_id).epoch)


class _NeverClosed(MemoryLog):
    """Takes appends after the end."""

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        run = self._run(run_id)
        if run.closed_at is not None:
            run.closed_at = None
            self._open[run_id] = run
        return await super().append(run_id, events, epoch=epoch)


class _RepeatsBlindly(LogLink):
    """Sends an append again when its answer was lost."""

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        for _ in range(20):
            with suppress(LogUnavailable):
                return await super().append(run_id, events, epoch=epoch)
        return await super().append(run_id, events, epoch=epoch)


class _ForgetsCancels(LogLink):
    """Tells no head that a cancel was requested: whoever takes the run over never learns."""

    async def head(self, run_id: str) -> RunHead:
        return replace(await super().head(run_id), cancel_requested_by=None)


class _RenewsOnce(LogLink):
    """Gets a lease, and never renews it."""

    _is_renewed = False

    async def renew(self, holder: str, *, term_s: float) -> bool:
        if self._is_renewed:
            return True
        self._is_renewed = True
        return await super().renew(holder, term_s=term_s)


class _SeesNoneLapse(LogLink):
    """Finds no run whose writer has died."""

    async def lapsed(self, *, limit: int = 100) -> Sequence[LapsedRun]:
        return []


class _KeyLaid(MemoryLog):
    """Lets whoever comes last have the key."""

    async def create(self, started: RunStarted, **given: object) -> Created:
        self._keys.pop((given["owner"], given["idempotency_key"]), None)
        return await super().create(started, **given)


class _LooksFirst(LogLink):
    """Looks for the key, and creates the run in a second step."""

    async def create(self, started: RunStarted, **given: object) -> Created:
        run_id = await self.find(
            given["idempotency_key"],
            owner=given["owner"],
            fingerprint=given["fingerprint"],
        )
        if run_id is not None:
            return Created(run_id, epoch=0, is_new=False)
        return await super().create(started, **given)


class _AcknowledgesFirst(LogLink):
    """Says that events are stored, and stores them afterwards."""

    _offsets: dict[str, int]

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        if not hasattr(self, "_offsets"):
            self._offsets = {}
        self._loop.create_task(self._append(run_id, events, epoch))
        self._offsets[run_id] = self._offsets.get(run_id, 1) + len(events)
        return self._offsets[run_id]

    async def _append(self, run_id: str, events: Sequence[Event], epoch: int) -> None:
        with suppress(LogError):
            await super().append(run_id, events, epoch=epoch)


class _ShowsFirst(LogLink):
    """Gives readers what is on its way to the log."""

    _pending: dict[str, Sequence[Event]]

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        if not hasattr(self, "_pending"):
            self._pending = {}
        self._pending[run_id] = events
        for wake in list(self._wakes.values()):
            wake()
        try:
            return await super().append(run_id, events, epoch=epoch)
        finally:
            self._pending.pop(run_id, None)

    async def read(self, run_id: str, *, after: int, limit: int = 1024) -> Slice:
        found = await super().read(run_id, after=after, limit=limit)
        pending = getattr(self, "_pending", {}).get(run_id, ())
        if found.is_closed or not pending:
            return found
        last = found.records[-1].offset if found.records else after
        more = [
            Record(last + 1 + index, event, 1, 0.0)
            for index, event in enumerate(pending)
            if type(event) is not RunEnded
        ]
        return Slice([*found.records, *more], is_closed=False)


class _WaitsForReaders(LogLink):
    """Stores nothing while a reader's connection is full."""

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        while any(each._writer is not None for each in self._owner.connections):
            await asyncio.sleep(0.05)
        return await super().append(run_id, events, epoch=epoch)


@contextmanager
def _cursor_moved(by: int) -> Iterator[None]:
    def moved(text: str) -> Cursor | None:
        cursor = parse_cursor(text)
        return cursor and Cursor(max(-1, cursor.offset + by), cursor.epoch)

    with patch.object(handlers, "parse_cursor", moved):
        yield


@contextmanager
def _wake_up_lost() -> Iterator[None]:
    def wake(tail: Tail) -> None:
        if tail._waiter is not None:
            tail._is_behind = True
            tail._release()

    with patch.object(Tail, "_wake", wake):
        yield


@contextmanager
def _coalesced_across() -> Iterator[None]:
    def coalesce_records(records: Sequence[Record]) -> Sequence[Record]:
        texts = [record for record in records if type(record.event) is TextDelta]
        if len(texts) < 2:
            return records
        last = records[-1]
        text = merge([record.event for record in texts])
        others = [record for record in records if type(record.event) is not TextDelta]
        return [Record(last.offset, text, last.epoch, last.appended_at), *others]

    with patch("tickertape.engine.tail.coalesce_records", coalesce_records):
        yield


@contextmanager
def _left_is_cancelled() -> Iterator[None]:
    close = Tail.close

    def close_and_cancel(tail: Tail) -> None:
        if not tail.is_over:
            asyncio.get_running_loop().create_task(_ask(tail))
        close(tail)

    async def _ask(tail: Tail) -> None:
        with suppress(LogError):
            await tail._log.request_cancel(tail._run_id, "user")

    with patch.object(Tail, "close", close_and_cancel):
        yield


@contextmanager
def _cancel_waits_for_text() -> Iterator[None]:
    def interrupt(step: Step, stop: CancelledBy | RunError) -> None:
        step._stop = step._stop or stop

    with patch.object(Step, "_interrupt", interrupt):
        yield


@contextmanager
def _end_of_file_is_an_end() -> Iterator[None]:
    receive = Reader._receive

    async def received(reader: Reader) -> list[Event]:
        try:
            return await receive(reader)
        except Exception:
            if reader.run_id is None:
                raise
            timings = Timings(first_progress_s=None, duration_s=0.0)
            return [RunEnded(outcome="completed", length=reader._length, timings=timings)]

    with patch.object(Reader, "_receive", received):
        yield


@contextmanager
def _usage_forgotten() -> Iterator[None]:
    def end_lost_run(appends: object, **asked: object) -> RunEnded:
        return msgspec.structs.replace(real(appends, **asked), usage=None)

    real = lost_runs.end_lost_run
    with patch.object(lost_runs, "end_lost_run", end_lost_run):
        yield


@contextmanager
def _appended_at_the_end() -> Iterator[None]:
    """Redis takes an append whoever sends it, wherever its writer believes the end to be."""
    append = redis_model.SCRIPTS["append"]

    def appended(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
        epoch, end = data.fields(keys[0], b"epoch", b"end")
        return append(data, keys, [epoch or args[0], end or args[1], *args[2:]])

    with patch.dict(redis_model.SCRIPTS, {"append": appended}):
        yield


@contextmanager
def _never_heard_again() -> Iterator[None]:
    """A process does not look what it missed when its channels are heard again."""

    async def caught_up(_hearing: RedisHearing, run: RecentRun) -> None:
        run.is_live = True

    with patch.object(RedisHearing, "_catch_up", caught_up):
        yield


MUTANTS: tuple[Mutant, ...] = (
    Mutant("no fencing", frozenset({"P1", "P2"}), log=_Unfenced),
    Mutant("acknowledged before it is stored", frozenset({"P1", "P2"}), link=_AcknowledgesFirst),
    Mutant("shown before it is stored", frozenset({"P3"}), link=_ShowsFirst),
    Mutant("a cursor one too far", frozenset({"P1"}), lambda: _cursor_moved(1)),
    Mutant("a cursor one too short", frozenset({"P1"}), lambda: _cursor_moved(-1)),
    Mutant("a lost wake-up", frozenset({"P5"}), _wake_up_lost),
    Mutant("an append sent again", frozenset({"P1"}), link=_RepeatsBlindly),
    Mutant("an end sent again", frozenset({"P2"}), link=_RepeatsBlindly, log=_NeverClosed),
    Mutant("a cancel forgotten on take over", frozenset({"P4"}), link=_ForgetsCancels),
    Mutant("usage forgotten on take over", frozenset({"P9"}), _usage_forgotten),
    Mutant("a lease that is not renewed", frozenset({"P2"}), link=_RenewsOnce),
    Mutant("nobody takes over", frozenset({"P5"}), link=_SeesNoneLapse),
    Mutant("a key in two steps", frozenset({"P7"}), link=_LooksFirst, log=_KeyLaid),
    Mutant("coalesced across the end", frozenset({"P1"}), _coalesced_across),
    Mutant("who leaves, cancels", frozenset({"P2"}), _left_is_cancelled),
    Mutant("cancel waits for text", frozenset({"P4", "P5"}), _cancel_waits_for_text),
    Mutant("an end of file is an end", frozenset({"P1", "P2"}), _end_of_file_is_an_end),
    Mutant("a run waits for its readers", frozenset({"P6"}), link=_WaitsForReaders),
    Mutant("an append at any end", frozenset({"P1", "P2"}), _appended_at_the_end, on="redis"),
    Mutant("missed messages", frozenset({"P1", "P5"}), _never_heard_again, on="redis"),
)
