"""The log in one SQLite file: what was acknowledged survives the process.

One process at a time has the file. A thread writes it, another one reads it, and
the event loop waits for neither: this is the event loop's side. Live readers are
served from memory (`sqlite_recent`); how the file is laid out stands in
`sqlite_schema`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tickertape.core.errors import (
    CursorBeyondEnd,
    IllegalEvent,
    LogClosed,
    LogUnavailable,
    RunTrimmed,
)
from tickertape.core.events import CancelledBy, Event, RunEnded, RunStarted
from tickertape.core.lease import Leases
from tickertape.core.record import BEGINNING, Record
from tickertape.logs.base import Created, LapsedRun, RunHead, Slice
from tickertape.logs.packed_append import pack_append
from tickertape.logs.sqlite_jobs import (
    Append,
    Check,
    ClosedRun,
    Create,
    Find,
    Job,
    Key,
    ReadClosed,
    ReadHead,
    ReadSlices,
    TakeOver,
    WriteJob,
)
from tickertape.logs.sqlite_reader import Reader
from tickertape.logs.sqlite_recent import RecentRun, RecentRuns
from tickertape.logs.sqlite_retention import Retention
from tickertape.logs.sqlite_schema import Synchronous
from tickertape.logs.sqlite_thread import DeskThread
from tickertape.logs.sqlite_writer import Writer
from tickertape.logs.watches import OpenWatch, Watches

RETENTION_S: Final = 86_400.0
"""A day: long enough to come back to an answer the next morning."""

_T = TypeVar("_T")


class SqliteLog:
    """An `EventLog` in a file. Use as `async with`; leaving closes the file.

    What `append` and `create` returned for is committed: `kill -9` loses none of it.
    With `synchronous="normal"` a commit does not wait for the disk, so that a power
    failure, or a crash of the whole machine, may cost the last moments before it;
    `"full"` waits, and costs that much more. Neither can damage the file.

    Who cancels a call does not cancel what it asked for: a cancelled append may
    still be stored, whole.

    When the file can't be written (a full disk), `append` and `create` raise
    `LogUnavailable` and nothing of them is stored; readers of that run get the same
    error when they have read all there is, until an append succeeds.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        retention_s: float = RETENTION_S,
        synchronous: Synchronous = "normal",
        max_bytes: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now` gives UTC seconds since the epoch. The file may grow to `max_bytes`.

        Its write-ahead log, beside it, stays below 32 MiB or so.
        """
        self.path: Final = Path(path)
        self._now = now
        self._retention = Retention(retention_s)
        self._synchronous: Synchronous = synchronous
        self._max_bytes = max_bytes
        self._recent = RecentRuns()
        self._leases = Leases()
        self._wakes: Watches[str, Callable[[], None]] = Watches()
        self._cancels: Watches[None, Callable[[str, CancelledBy], None]] = Watches()
        self._writer: DeskThread | None = None
        self._reader: DeskThread | None = None

    async def open(self) -> None:
        """Open the file, making it if there is none, and end the runs that a crash left open.

        Raises:
            ConfigurationError: another process has it, it is not a log, a newer version
                wrote it, or it can't be written; the message names it and the way out.
        """
        writer = Writer(
            self.path,
            retention=self._retention,
            synchronous=self._synchronous,
            max_bytes=self._max_bytes,
            opened_at=self._now(),
        )
        self._writer = DeskThread(writer, name="tickertape log writer", done=self._acknowledge)
        await self._writer.start()
        self._reader = DeskThread(
            Reader(self.path), name="tickertape log reader", done=_settle_reads
        )
        try:
            await self._reader.start()
        except BaseException:
            await self._writer.stop()
            raise

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

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
        now = self._now()
        job = Create(
            future=_future(),
            started=started,
            owner=owner,
            holder=holder,
            key=None if idempotency_key is None else Key(owner, idempotency_key, fingerprint),
            append=pack_append([started], epoch=1, appended_at=now),
            now=now,
        )
        await self._write(job)
        if job.joined is not None:
            return Created(job.joined, epoch=0, is_new=False)
        return Created(started.run_id, epoch=1, is_new=True)

    async def find(
        self, idempotency_key: str, *, owner: str | None = None, fingerprint: str = ""
    ) -> str | None:
        """See `EventLog.find`."""
        key = Key(owner, idempotency_key, fingerprint)
        job = Find(future=_future(), key=key, now=self._now())
        await self._write(job)
        return job.result

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        """See `EventLog.append`.

        Raises:
            LogUnavailable: the file can't be written now; nothing was stored.
            ProtocolError: an event can't be stored as JSON.
        """
        for event in events[:-1]:
            if type(event) is RunEnded:
                raise IllegalEvent("nothing may follow RunEnded")
        appended_at = self._now()
        run = self._recent.get(run_id)
        job = Append(
            future=_future(),
            run_id=run_id,
            events=events,
            epoch=epoch,
            append=pack_append(events, epoch=epoch, appended_at=appended_at),
            ends_run=bool(events) and type(events[-1]) is RunEnded,
            cancel_by=None if run is None else run.cancel_by,
            appended_at=appended_at,
        )
        # Not through `_write`: each frame here is paid for at every token.
        self._open_writer().put(job)
        return (await job.future).end_offset

    async def read(self, run_id: str, *, after: int, limit: int = 1024) -> Slice:
        """See `EventLog.read`.

        Raises:
            LogUnavailable: the file can't be read now, or the run's last append
                failed and there is nothing more to read.
        """
        run = self._recent.get(run_id)
        if run is None:
            return await self._read_closed(run_id, after=after, limit=limit)
        self._require_kept(run_id, run)
        if not BEGINNING <= after < run.end_offset:
            raise CursorBeyondEnd(after, end_offset=run.end_offset)
        if run.has(after + 1):
            records = run.after(after, limit=limit)
        elif run.closed_at is not None:
            return await self._read_closed(run_id, after=after, limit=limit)
        else:
            records = await self._read_older(run, after=after, limit=limit)
        is_all = after + 1 + len(records) == run.end_offset
        if run.broken is not None and not records:
            raise LogUnavailable(run.broken)
        return Slice(records, is_closed=is_all and run.closed_at is not None)

    async def head(self, run_id: str) -> RunHead:
        """See `EventLog.head`. Of a closed run, `last_read_at` is when it ended."""
        run: RecentRun | ClosedRun | None = self._recent.get(run_id)
        if run is None:
            run = await self._read(ReadHead(future=_future(), run_id=run_id))
        self._require_kept(run_id, run)
        return run.head(run_id)

    def watch(self, run_id: str, wake: Callable[[], None]) -> OpenWatch:
        """See `EventLog.watch`."""
        return self._wakes.add(run_id, wake)

    async def request_cancel(self, run_id: str, by: CancelledBy) -> None:
        """See `EventLog.request_cancel`.

        Works without the file: the run's writer is in this process.
        """
        run = self._recent.get(run_id)
        if run is None or run.closed_at is not None:
            await self.head(run_id)  # raises where there is no such run
        elif run.cancel_by is None:
            run.cancel_by = by
            for told in self._cancels.of(None):
                told(run_id, by)

    def watch_cancels(self, told: Callable[[str, CancelledBy], None]) -> OpenWatch:
        """See `EventLog.watch_cancels`."""
        return self._cancels.add(None, told)

    async def renew(self, holder: str, *, term_s: float) -> bool:
        """See `EventLog.renew`. Leases are this process's, as the file is."""
        return self._leases.renew(holder, now=self._now(), term_s=term_s)

    async def release(self, holder: str) -> None:
        """See `EventLog.release`."""
        self._leases.release(holder)

    async def lapsed(self, *, limit: int = 100) -> Sequence[LapsedRun]:
        """See `EventLog.lapsed`."""
        return list(islice(self._recent.lapsed(self._leases, now=self._now()), limit))

    async def take_over(self, run_id: str, *, holder: str, epoch: int) -> int:
        """See `EventLog.take_over`.

        Raises:
            LogUnavailable: the file can't be written now; the run has its old writer.
        """
        run = self._recent.get(run_id)
        if run is None or run.closed_at is not None:
            await self.head(run_id)  # raises where there is no such run
            raise LogClosed(run_id)
        self._leases.require_free(
            run_id,
            held_by=run.holder,
            held=run.epoch,
            holder=holder,
            epoch=epoch,
            now=self._now(),
        )
        # Of those who got so far with one epoch, the thread lets the first one have it.
        job = TakeOver(future=_future(), run_id=run_id, holder=holder, epoch=epoch)
        self._open_writer().put(job)
        return await job.future

    async def note_read(self, run_ids: Sequence[str]) -> None:
        """See `EventLog.note_read`. Remembered while the run is open, and not stored."""
        self._recent.note_read(run_ids, at=self._now())

    async def check(self) -> None:
        """See `EventLog.check`. Writes to the file, and trims what is due."""
        await self._write(Check(future=_future(), now=self._now()))

    async def close(self) -> None:
        """Commit what was asked for, and close the file. Safe to repeat."""
        for thread in (self._reader, self._writer):
            if thread is not None:
                await thread.stop()

    async def _read_closed(self, run_id: str, *, after: int, limit: int) -> Slice:
        job = ReadClosed(future=_future(), run_id=run_id, after=after, limit=limit)
        run, records = await self._read(job)
        self._require_kept(run_id, run)
        if not BEGINNING <= after < run.end_offset:
            raise CursorBeyondEnd(after, end_offset=run.end_offset)
        return Slice(records, is_closed=after + 1 + len(records) == run.end_offset)

    async def _read_older(self, run: RecentRun, *, after: int, limit: int) -> list[Record]:
        """Read an open run from slices, up to where memory begins, and from there."""
        records: list[Record] = []
        while len(records) < limit:
            cursor = after + len(records)
            if run.has(cursor + 1):
                return records + run.after(cursor, limit=limit - len(records))
            # Not beyond what memory has let go: the file may be ahead of what has
            # been acknowledged.
            wanted = min(limit - len(records), run.first_offset - cursor - 1)
            job = ReadSlices(future=_future(), number=run.number, after=cursor, limit=wanted)
            older = await self._read(job)
            if not older:
                raise LogUnavailable(
                    f"the log {str(self.path)!r} is damaged: it lacks record {cursor + 1} of a run"
                )
            records += older
        return records

    def _require_kept(self, run_id: str, run: RecentRun | ClosedRun) -> None:
        # Trimming is done little by little; for readers it happens on time.
        closed_at = run.closed_at
        if closed_at is not None and closed_at <= self._retention.trim_before(self._now()):
            raise RunTrimmed(run_id)

    async def _write(self, job: WriteJob) -> None:
        self._open_writer().put(job)
        await job.future

    async def _read(self, job: Job[_T]) -> _T:
        if self._reader is None:
            raise _not_open()
        self._reader.put(job)
        return await job.future

    def _open_writer(self) -> DeskThread:
        if self._writer is None:
            raise _not_open()
        return self._writer

    def _acknowledge(self, jobs: Sequence[WriteJob]) -> None:
        """Make what was committed visible, wake who waits for it, and answer."""
        for job in jobs:
            if type(job) is Append:
                self._note_append(job)
            elif type(job) is Create and job.result is not None and job.joined is None:
                self._note_create(job, number=job.result.number)
            elif type(job) is TakeOver and job.result is not None:
                self._recent.take_over(job.run_id, holder=job.holder, epoch=job.result)
            job.settle()

    def _note_create(self, job: Create, *, number: int) -> None:
        run = RecentRun(number, owner=job.owner, holder=job.holder, created_at=job.now)
        run.add([job.started], epoch=1, appended_at=job.now, sliced_offset=0)
        self._recent.add(job.started.run_id, run)

    def _note_append(self, job: Append) -> None:
        run = self._recent.get(job.run_id)
        if run is None:
            return
        if job.result is not None:
            run.broken = None
            run.add(
                job.events,
                epoch=job.epoch,
                appended_at=job.appended_at,
                sliced_offset=job.result.sliced_offset,
            )
            if job.ends_run:
                self._recent.end(job.run_id, at=job.appended_at)
        elif isinstance(job.error, LogUnavailable):
            run.broken = str(job.error)
        else:
            return
        for wake in self._wakes.of(job.run_id):
            wake()


def _future() -> asyncio.Future[_T]:
    return asyncio.get_running_loop().create_future()


def _not_open() -> LogUnavailable:
    return LogUnavailable("the log is not open: use it as `async with`, or call open() first")


def _settle_reads(jobs: Sequence[Job[Any]]) -> None:
    for job in jobs:
        job.settle()
