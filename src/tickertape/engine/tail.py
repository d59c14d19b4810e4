"""One subscriber: replay the log after a cursor, then follow it.

A subscriber is a cursor and a wake-up, never a queue. It pulls when its reader
can take more; a slow one simply reads larger, merged batches later, and costs
the run nothing (P6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from tickertape.core.coalesce import coalesce_records
from tickertape.core.record import BEGINNING, Record
from tickertape.logs.base import EventLog

READ_LIMIT: Final = 256
"""Records in one read: bounds what a reader that is far behind costs at a time."""


class Tail:
    """A run's records after a cursor, in order, each once, merged where they had to wait.

    `watch` first, with the run known to exist. Used by one task; `close` may come from another.
    """

    def __init__(
        self,
        log: EventLog,
        run_id: str,
        *,
        after: int = BEGINNING,
        heartbeat_s: float = 15.0,
        left: Callable[[], None] = lambda: None,
    ) -> None:
        """`left` is called once, when the tail is closed."""
        self.cursor = after
        """The offset of the last record that `next` has returned."""
        self.is_over = False
        """Nothing more comes: the run has closed and all was returned, or the tail was closed."""
        self._log = log
        self._run_id = run_id
        self._heartbeat_s = heartbeat_s
        self._loop = asyncio.get_running_loop()
        self._left = left
        self._has_left = False
        self._is_behind = True
        self._waiter: asyncio.Future[None] | None = None
        self._returned_at_s = self._loop.time()
        self._watch = log.watch(run_id, self._wake)
        self._timer = self._loop.call_later(heartbeat_s, self._beat)

    async def next(self) -> Sequence[Record]:
        """Return the next records; none when a heartbeat is due, or when it `is_over`.

        Raises:
            CursorBeyondEnd, RunTrimmed: as `EventLog.read`.
        """
        # One flat function: each frame between the event loop and the future is paid
        # for at every wake-up.
        records: Sequence[Record] = ()
        while not self.is_over:
            if self._is_behind:
                self._is_behind = False
                part = await self._log.read(self._run_id, after=self.cursor, limit=READ_LIMIT)
                if part.records:
                    records = self._advance(part.records)
                if part.is_closed:
                    self.close()
                if records:
                    break
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
        self.cursor = records[-1].offset
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
