"""What a process remembers of a run in Redis, so that its live readers need not ask there.

Of a run that this process writes, or hears: its last records. Of one that ended or
is heard no more: the same, for a while. Says when what comes in contradicts what
was given out. Knows neither Redis nor time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from tickertape.core.events import RunEnded
from tickertape.core.record import Record
from tickertape.logs.base import Slice

KEPT_RECORDS: Final = 512
KEPT_BYTES: Final = 1 << 20
"""At most so much is remembered of a run, and then the half; always the last append."""

EARLY_APPENDS: Final = 256


class RecentWriter:
    """What this process knows as the writer of a run."""

    __slots__ = ("end_offset", "epoch", "holder", "is_certain", "turn")

    def __init__(self, *, epoch: int, end_offset: int, holder: str | None) -> None:
        self.epoch = epoch
        self.end_offset = end_offset
        self.holder = holder
        self.is_certain = True
        """False: an append was left without an answer, or somebody else may write."""
        self.turn = asyncio.Lock()
        """One append at a time: each says where it expects the end."""


class RecentRun:
    """A run as this process knows it."""

    __slots__ = (
        "_deceived",
        "catching",
        "closed_at",
        "early",
        "end_offset",
        "epoch",
        "first_offset",
        "is_live",
        "is_subscribed",
        "keys",
        "lost_from",
        "records",
        "run_id",
        "size",
        "tape",
        "wakes",
        "writer",
    )

    def __init__(self, run_id: str, *, keys: tuple[bytes, bytes], tape: bytes) -> None:
        self.run_id = run_id
        self.keys = keys
        self.tape = tape
        self.records: list[Record] = []
        self.first_offset = 0
        """Of the records; those before it are in Redis only."""
        self.end_offset = 0
        """Where the run ended when we last knew; 0: nothing is known."""
        self.size = 0
        self.epoch = 0
        """The highest that we know of."""
        self.closed_at: float | None = None
        self.is_live = False
        """Whatever is appended comes here: a reader that has all there is may wait."""
        self.is_subscribed = False
        self.catching: object | None = None
        """Which comparison with Redis counts: the last one begun; None: none is going on."""
        self.early: deque[tuple[list[Record], int]] = deque(maxlen=EARLY_APPENDS)
        """What came before it was known to follow what is here."""
        self.writer: RecentWriter | None = None
        self.wakes: dict[object, Callable[[], None]] = {}
        self.lost_from: int | None = None
        """What was given out from here on is no longer so."""
        self._deceived: set[object] = set()

    def read(self, after: int, limit: int) -> Slice | None:
        """Return what comes after the cursor, if that is known here."""
        first = after + 1 - self.first_offset
        if not self.is_live or first < 0 or after < -1 or after >= self.end_offset:
            return None
        if self.lost_from is not None and after >= self.lost_from:
            return None
        records = self.records[first : first + limit]
        is_all = after + 1 + len(records) == self.end_offset
        return Slice(records, is_all and self.closed_at is not None)

    def take(self, records: Sequence[Record], size: int) -> bool:
        """Take in one append; return False if it contradicts what was known.

        One that is known already changes nothing; one that is further on than the
        next begins anew: what lies between is read from Redis.
        """
        first = records[0]
        if first.offset < self.end_offset:
            return self._agrees(records)
        if first.offset > self.end_offset or not self.end_offset:
            self.begin(first.offset)
        self.records += records
        self.end_offset += len(records)
        self.epoch = max(self.epoch, first.epoch)
        self.size += size
        if len(self.records) > KEPT_RECORDS or self.size > KEPT_BYTES:
            self._let_go(len(records))
        last = records[-1]
        if type(last.event) is RunEnded:
            self.closed_at = last.appended_at
        return True

    def begin(self, end_offset: int) -> None:
        """Remember nothing before the offset, which is where the run ends now."""
        self.records = []
        self.size = 0
        self.first_offset = self.end_offset = end_offset

    def lose(self, end_offset: int) -> None:
        """Note that what was from this offset on is gone, or something else now.

        Whoever watches now is told at its next read; who comes later sees what is.
        """
        kept = max(end_offset - self.first_offset, 0)
        if kept == 0:
            self.begin(min(end_offset, self.end_offset))
        else:
            del self.records[kept:]
            self.end_offset = min(end_offset, self.end_offset)
        self.closed_at = None
        self.is_live = False
        self._deceived.update(self.wakes)
        if self._deceived:
            lost_from = end_offset if self.lost_from is None else self.lost_from
            self.lost_from = min(lost_from, end_offset)

    def leave(self, watch: object) -> None:
        """Forget a watch."""
        self.wakes.pop(watch, None)
        self._deceived.discard(watch)
        if not self._deceived:
            self.lost_from = None

    def wake(self) -> None:
        """Wake everybody who watches."""
        for wake in tuple(self.wakes.values()):
            wake()

    def _agrees(self, records: Sequence[Record]) -> bool:
        if records[-1].offset >= self.end_offset:
            return False
        return all(
            self.records[record.offset - self.first_offset] == record
            for record in records
            if record.offset >= self.first_offset
        )

    def _let_go(self, last: int) -> None:
        dropped = min(len(self.records) // 2, len(self.records) - last)
        if self.size > KEPT_BYTES:
            dropped = len(self.records) - last
            self.size = 0
        else:
            self.size //= 2
        del self.records[:dropped]
        self.first_offset += dropped
