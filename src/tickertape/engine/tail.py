"""One subscriber: replay the log after a cursor, then follow it.

A subscriber is a cursor and a wake-up, never a queue. It pulls when its reader
can take more; a slow one simply reads larger, merged batches later, and costs
the run nothing (P6).

What follows a record follows it only as long as that record is there. A log may lose
records and get others in their place, under a higher epoch: so where the epoch changes,
the last record is looked at again, and who has read what was lost is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from tickertape.core.coalesce import coalesce_records
from tickertape.core.cursor import AT_BEGINNING, FIRST_EPOCH, Cursor
from tickertape.core.errors import CursorBeyondEnd, RecordsLost
from tickertape.core.record import BEGINNING, Record
from tickertape.logs.base import EventLog, RunHead, Slice

READ_LIMIT: Final = 256
"""Records in one read: bounds what a reader that is far behind costs at a time."""


class Tail:
    """A run's records after a cursor, in order, each once, merged where they had to wait.

    The run, and the record at `after`, are known to have been there (`check_cursor`).
    Used by one task; `close` may come from another.
    """

    def __init__(
        self,
        log: EventLog,
        run_id: str,
        *,
        after: Cursor = AT_BEGINNING,
        heartbeat_s: float = 15.0,
        left: Callable[[], None] = lambda: None,
    ) -> None:
        """`left` is called once, when the tail is closed."""
        self.is_over = False
        """Nothing more comes: the run has closed and all was returned, or the tail was closed."""
        self._log = log
        self._run_id = run_id
        # The cursor, in two: to make one for each batch would cost.
        self._offset, self._epoch = after.offset, after.epoch
        self._heartbeat_s = heartbeat_s
        self._loop = asyncio.get_running_loop()
        self._left = left
        self._has_left = False
        self._is_finishing = False
        self._is_behind = True
        self._waiter: asyncio.Future[None] | None = None
        self._returned_at_s = self._loop.time()
        self._watch = log.watch(run_id, self._wake)
        self._timer = self._loop.call_later(heartbeat_s, self._beat)

    @property
    def cursor(self) -> Cursor:
        """Return the last record that `next` has returned."""
        return Cursor(self._offset, self._epoch)

    async def next(self) -> Sequence[Record]:
        """Return the next records; none when a heartbeat is due, or when it `is_over`.

        Raises:
            RecordsLost: what was returned last is no longer there.
            RunTrimmed, LogUnavailable: as `EventLog.read`.
        """
        # One flat function: each frame between the event loop and the future is paid
        # for at every wake-up.
        records: Sequence[Record] = ()
        while not self.is_over:
            if self._is_behind:
                self._is_behind = False
                try:
                    # As `read_on` does it, without its frame.
                    part = await self._log.read(self._run_id, after=self._offset, limit=READ_LIMIT)
                    found = part.records
                    if (found[0].epoch != self._epoch) if found else part.is_closed:
                        await _require_record(self._log, self._run_id, self.cursor)
                except BaseException as error:
                    self._is_behind = True  # what could not be read is still to be read
                    if isinstance(error, CursorBeyondEnd):
                        raise RecordsLost(self._run_id) from error
                    raise
                if found:
                    records = self._advance(found)
                if part.is_closed:
                    self.close()
                if records:
                    break
            elif self._is_finishing:
                self.close()
            else:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
                if not self._is_behind:
                    break
        self._returned_at_s = self._loop.time()
        return records

    def finish(self) -> None:
        """Be over as soon as what is there now was returned, though the run may go on."""
        self._is_finishing = True
        self._wake()

    def close(self) -> None:
        """Leave. A waiting `next` returns at once. Safe to repeat."""
        self.is_over = True
        self._watch.close()
        self._timer.cancel()
        if not self._has_left:
            self._has_left = True
            self._left()
        self._wake()

    def _advance(self, records: Sequence[Record]) -> Sequence[Record]:
        last = records[-1]
        self._offset, self._epoch = last.offset, last.epoch
        if len(records) == READ_LIMIT:
            self._is_behind = True
        return coalesce_records(records)

    def _wake(self) -> None:
        self._is_behind = True
        self._release()

    def _release(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _beat(self) -> None:
        """Let `next` return when the reader has had nothing for a while."""
        due_at_s = self._returned_at_s + self._heartbeat_s
        if self._loop.time() < due_at_s:
            self._timer = self._loop.call_at(due_at_s, self._beat)
            return
        self._timer = self._loop.call_later(self._heartbeat_s, self._beat)
        self._release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


async def read_on(log: EventLog, run_id: str, *, after: Cursor) -> Slice:
    """Read up to `READ_LIMIT` records after one that was there, if it still is.

    Raises:
        RecordsLost: it is not, whether or not another has taken its place.
        UnknownRun, RunTrimmed, LogUnavailable: as `EventLog.read`.
    """
    try:
        part = await log.read(run_id, after=after.offset, limit=READ_LIMIT)
    except CursorBeyondEnd as error:
        raise RecordsLost(run_id) from error
    found = part.records
    # Records of one epoch follow each other. Where a run ends at the cursor, that end may
    # be another record in its place: nothing comes after it that would show.
    if (found[0].epoch != after.epoch) if found else part.is_closed:
        await _require_record(log, run_id, after)
    return part


async def check_cursor(log: EventLog, head: RunHead, after: Cursor) -> None:
    """Return if the record that a reader has applied is the one in the run.

    Raises:
        CursorBeyondEnd: it was never written.
        RecordsLost: it was, and is there no more.
    """
    if after.offset >= head.end_offset and after.epoch == head.epoch:
        raise CursorBeyondEnd(after.offset, end_offset=head.end_offset)
    # A run that nobody has taken over has no other history.
    if not after.epoch == head.epoch == FIRST_EPOCH:
        await _require_record(log, head.run_id, after)


async def _require_record(log: EventLog, run_id: str, cursor: Cursor) -> None:
    if cursor.offset == BEGINNING:
        return
    try:
        part = await log.read(run_id, after=cursor.offset - 1, limit=1)
    except CursorBeyondEnd as error:
        raise RecordsLost(run_id) from error
    if not part.records or part.records[0].epoch != cursor.epoch:
        raise RecordsLost(run_id)
