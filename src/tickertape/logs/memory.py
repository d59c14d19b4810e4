"""The log in this process's memory: the reference, and what users test with.

Gone with the process. Closed runs are kept `retention_s` and then trimmed; for
some time after that their ids are remembered, so that a reader learns the truth.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from tickertape.core.errors import (
    CursorBeyondEnd,
    IdempotencyConflict,
    IllegalEvent,
    LogClosed,
    RunTrimmed,
    StaleEpoch,
    UnknownRun,
)
from tickertape.core.events import CancelledBy, Event, RunEnded, RunStarted
from tickertape.core.lease import Leases
from tickertape.core.record import BEGINNING, Record
from tickertape.logs.base import Created, LapsedRun, RunHead, Slice

RETENTION_S: Final = 3600.0
MAX_TRIMMED_IDS: Final = 100_000
"""How many ids of trimmed runs are remembered; the oldest are forgotten first."""


class _Run:
    __slots__ = (
        "cancel_by",
        "closed_at",
        "epoch",
        "fingerprint",
        "holder",
        "key",
        "last_read_at",
        "owner",
        "records",
        "wakes",
    )

    def __init__(
        self,
        *,
        owner: str | None,
        key: str | None,
        fingerprint: str,
        holder: str | None,
        created_at: float,
    ) -> None:
        self.owner = owner
        self.key = key
        self.fingerprint = fingerprint
        self.holder = holder
        self.last_read_at = created_at
        self.epoch = 1
        self.records: list[Record] = []
        self.closed_at: float | None = None
        self.cancel_by: CancelledBy | None = None
        # A dict, for its order and its cheap removal.
        self.wakes: dict[_Watch, Callable[[], None]] = {}


class _Watch:
    __slots__ = ("_watchers",)

    def __init__(self, watchers: dict[_Watch, Callable[..., None]]) -> None:
        self._watchers = watchers

    def close(self) -> None:
        self._watchers.pop(self, None)


class MemoryLog:
    """An `EventLog` in memory. `now` gives UTC seconds since the epoch."""

    def __init__(
        self, *, retention_s: float = RETENTION_S, now: Callable[[], float] = time.time
    ) -> None:
        self._retention_s = retention_s
        self._now = now
        self._runs: dict[str, _Run] = {}
        self._leases = Leases()
        # In the order of their start.
        self._open: dict[str, _Run] = {}
        self._keys: dict[tuple[str | None, str], str] = {}
        # In the order of closing, which is the order of trimming.
        self._closed: OrderedDict[str, float] = OrderedDict()
        self._trimmed: OrderedDict[str, None] = OrderedDict()
        self._cancel_watchers: dict[_Watch, Callable[[str, CancelledBy], None]] = {}

    async def create(
        self,
        started: RunStarted,
        *,
        owner: str | None = None,
        idempotency_key: str | None = None,
        fingerprint: str = "",
        holder: str | None = None,
    ) -> Created:
        """See `EventLog.create`."""
        self._trim()
        if idempotency_key is not None:
            joined = await self.find(idempotency_key, owner=owner, fingerprint=fingerprint)
            if joined is not None:
                return Created(joined, epoch=0, is_new=False)
            self._keys[owner, idempotency_key] = started.run_id
        created_at = self._now()
        run = self._runs[started.run_id] = self._open[started.run_id] = _Run(
            owner=owner,
            key=idempotency_key,
            fingerprint=fingerprint,
            holder=holder,
            created_at=created_at,
        )
        run.records.append(Record(0, started, run.epoch, created_at))
        return Created(started.run_id, run.epoch, is_new=True)

    async def find(
        self, idempotency_key: str, *, owner: str | None = None, fingerprint: str = ""
    ) -> str | None:
        """See `EventLog.find`."""
        run_id = self._keys.get((owner, idempotency_key))
        if run_id is not None and self._runs[run_id].fingerprint != fingerprint:
            raise IdempotencyConflict(
                f"the idempotency key {idempotency_key!r} was used with another request; "
                "send a new key with a new request",
                param="Idempotency-Key",
            )
        return run_id

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        """See `EventLog.append`."""
        run = self._run(run_id)
        if epoch != run.epoch:
            raise StaleEpoch(held=epoch, current=run.epoch)
        if run.closed_at is not None:
            raise LogClosed(run_id)
        appended_at = self._now()
        records = run.records
        offset = len(records)
        is_end = False
        for event in events:
            if is_end:
                del records[offset:]
                raise IllegalEvent(f"{type(event).__name__} may not follow RunEnded")
            is_end = type(event) is RunEnded
            records.append(Record(len(records), event, epoch, appended_at))
        if is_end:
            run.closed_at = self._closed[run_id] = appended_at
            del self._open[run_id]
        for wake in tuple(run.wakes.values()):
            wake()
        return len(records)

    async def read(self, run_id: str, *, after: int, limit: int = 1024) -> Slice:
        """See `EventLog.read`."""
        run = self._run(run_id)
        end_offset = len(run.records)
        if not BEGINNING <= after < end_offset:
            raise CursorBeyondEnd(after, end_offset=end_offset)
        upto = min(after + 1 + limit, end_offset)
        return Slice(
            run.records[after + 1 : upto], run.closed_at is not None and upto == end_offset
        )

    async def head(self, run_id: str) -> RunHead:
        """See `EventLog.head`."""
        run = self._run(run_id)
        is_closed = run.closed_at is not None
        return RunHead(
            run_id,
            run.owner,
            len(run.records),
            is_closed,
            run.cancel_by,
            run.epoch,
            holder=None if is_closed else run.holder,
            last_read_at=run.last_read_at,
        )

    def watch(self, run_id: str, wake: Callable[[], None]) -> _Watch:
        """See `EventLog.watch`."""
        wakes = self._run(run_id).wakes
        watch = _Watch(wakes)
        wakes[watch] = wake
        return watch

    async def request_cancel(self, run_id: str, by: CancelledBy) -> None:
        """See `EventLog.request_cancel`."""
        run = self._run(run_id)
        if run.closed_at is None and run.cancel_by is None:
            run.cancel_by = by
            for told in tuple(self._cancel_watchers.values()):
                told(run_id, by)

    def watch_cancels(self, told: Callable[[str, CancelledBy], None]) -> _Watch:
        """See `EventLog.watch_cancels`."""
        watch = _Watch(self._cancel_watchers)
        self._cancel_watchers[watch] = told
        return watch

    async def renew(self, holder: str, *, term_s: float) -> bool:
        """See `EventLog.renew`."""
        return self._leases.renew(holder, now=self._now(), term_s=term_s)

    async def release(self, holder: str) -> None:
        """See `EventLog.release`."""
        self._leases.release(holder)

    async def lapsed(self, *, limit: int = 100) -> Sequence[LapsedRun]:
        """See `EventLog.lapsed`."""
        now = self._now()
        lapsed = (
            LapsedRun(run_id, run.epoch)
            for run_id, run in self._open.items()
            if self._leases.has_lapsed(run.holder, now=now)
        )
        return list(islice(lapsed, limit))

    async def take_over(self, run_id: str, *, holder: str, epoch: int) -> int:
        """See `EventLog.take_over`."""
        run = self._run(run_id)
        if run.closed_at is not None:
            raise LogClosed(run_id)
        self._leases.require_free(
            run_id,
            held_by=run.holder,
            held=run.epoch,
            holder=holder,
            epoch=epoch,
            now=self._now(),
        )
        run.epoch += 1
        run.holder = holder
        return run.epoch

    async def note_read(self, run_ids: Sequence[str]) -> None:
        """See `EventLog.note_read`."""
        now = self._now()
        for run_id in run_ids:
            if run := self._runs.get(run_id):
                run.last_read_at = now

    async def check(self) -> None:
        """See `EventLog.check`."""

    async def close(self) -> None:
        """See `EventLog.close`."""

    def _run(self, run_id: str) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise RunTrimmed(run_id) if run_id in self._trimmed else UnknownRun(run_id)
        return run

    def _trim(self) -> None:
        trim_before = self._now() - self._retention_s
        while self._closed:
            run_id, closed_at = next(iter(self._closed.items()))
            if closed_at > trim_before:
                break
            del self._closed[run_id]
            run = self._runs.pop(run_id)
            if run.key is not None:
                del self._keys[run.owner, run.key]
            self._trimmed[run_id] = None
            if len(self._trimmed) > MAX_TRIMMED_IDS:
                self._trimmed.popitem(last=False)
