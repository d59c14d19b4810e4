"""The log in Redis or Valkey: for many processes and machines, with one history for all.

Each run is a stream, with one entry for each append; a script appends, checks the
writer's epoch and where it believes the end to be, closes the run, and tells whoever
listens, in one step. A process has two connections, however many runs it writes and
readers it has: one for calls, one for all wake-ups. Live readers are served from
memory. Which keys there are, and what is in them, stands in `scripts/`.

Who is away is waited for: every call is repeated until it is answered, or
`retry_for_s` are over. A Redis that has lost records which it had acknowledged is
found out by the writer and by the readers, who get `RecordsLost`; nothing is ever
stored in their place under the same epoch.
"""

from __future__ import annotations

import asyncio
import itertools
import random as randomness
import secrets
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from tickertape.core.errors import (
    CursorBeyondEnd,
    LogUnavailable,
    RecordsLost,
    RunTrimmed,
    UnknownRun,
)
from tickertape.core.events import CancelledBy, RunStarted
from tickertape.core.record import BEGINNING
from tickertape.logs.base import Created, LapsedRun, RunHead, Slice
from tickertape.logs.redis.calls import RedisCalls
from tickertape.logs.redis.entries import unpack_stretch
from tickertape.logs.redis.errors import at_open, unavailable
from tickertape.logs.redis.head import RedisHeads, RedisLifetimes, seconds
from tickertape.logs.redis.hearing import RedisHearing
from tickertape.logs.redis.keys import RedisKeys
from tickertape.logs.redis.leases import RedisLeases
from tickertape.logs.redis.port import PortLost, PortRefused, RedisPort
from tickertape.logs.redis.recent import RecentRun
from tickertape.logs.redis.starts import RedisStarts
from tickertape.logs.redis.writing import RedisWriting

RETENTION_S: Final = 86_400.0
"""A day: long enough to come back to an answer the next morning."""
RETRY_FOR_S: Final = 15.0
"""A failover takes some seconds; a reader that waits longer would rather know."""


class _Watch:
    __slots__ = ("close",)

    def __init__(self, close: Callable[[], None]) -> None:
        self.close = close


class RedisLog:
    """An `EventLog` in Redis 7 or later, or Valkey. Use as `async with`.

    Who cancels a call does not cancel what it asked for: a cancelled append may
    still be stored, whole. So may one that raised `LogUnavailable`.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "tickertape:",
        retention_s: float = RETENTION_S,
        retry_for_s: float = RETRY_FOR_S,
        now: Callable[[], float] | None = None,
        random: Callable[[], float] = randomness.random,
        name: str | None = None,
        port: RedisPort | None = None,
    ) -> None:
        """`redis://[user:password@]host[:port][/database]`; `rediss://` for TLS; `unix://`.

        `now` gives UTC seconds; without it this machine's clock dates the records,
        and Redis's own counts for leases. `name` is this log's own among all that
        use the Redis. A `port` takes the place of the connection to the URL.

        Raises:
            ConfigurationError: the URL or the prefix can't be used.
            MissingExtra: redis-py is not installed.
        """
        if port is None:
            from tickertape.logs.redis.connection import RedisConnection

            port = RedisConnection(url)
        clock = time.time if now is None else now
        name = secrets.token_hex(8) if name is None else name
        numbers = itertools.count()

        def make_token() -> bytes:
            return f"{name}:{next(numbers)}".encode()

        self._port = port
        self._now = clock
        self._keys = RedisKeys(prefix)
        self._lifetimes = RedisLifetimes(retention_s, now=clock)
        self._calls = RedisCalls(port, retry_for_s=retry_for_s, random=random)
        self._heads = RedisHeads(self._calls, self._keys, self._lifetimes)
        self._hearing = RedisHearing(port, self._calls, self._keys, self._heads)
        self._leases = RedisLeases(self._calls, self._keys, self._heads, now=now)
        self._writing = RedisWriting(
            self._calls,
            self._keys,
            self._heads,
            self._hearing,
            self._leases,
            self._lifetimes,
            now=clock,
            random=random,
            make_token=make_token,
        )
        self._starts = RedisStarts(
            self._calls,
            self._keys,
            self._heads,
            self._leases,
            self._lifetimes,
            now=clock,
            make_token=make_token,
            created=self._writing.created,
        )
        self.append = self._writing.append
        """See `EventLog.append`. Bound here: each frame is paid for at every token."""

    async def open(self) -> None:
        """Connect, and see whether runs can be kept there.

        Raises:
            ConfigurationError: nobody answers there, the password is wrong, the version
                too old, or nothing can be written; names the place and the way out.
        """
        await self._port.open(self._hearing)
        try:
            try:
                await self._port.call("check", [self._keys.check], [self._keys.check])
            except PortRefused as error:
                if error.code not in {"LOADING", "BUSY"}:
                    raise
                await self._calls.do("check", [self._keys.check], [self._keys.check])
        except (PortLost, PortRefused, LogUnavailable) as error:
            await self.close()
            raise at_open(error, self._port.place) from error

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
        return await self._starts.create(
            started,
            owner=owner,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
            holder=holder,
        )

    async def find(
        self, idempotency_key: str, *, owner: str | None = None, fingerprint: str = ""
    ) -> str | None:
        """See `EventLog.find`."""
        return await self._starts.find(idempotency_key, owner=owner, fingerprint=fingerprint)

    async def read(self, run_id: str, *, after: int, limit: int = 1024) -> Slice:
        """See `EventLog.read`.

        Raises:
            RecordsLost: what was read before is no longer there.
        """
        run = self._hearing.get(run_id)
        if run is not None and (part := run.read(after, limit)) is not None:
            self._heads.require_kept(run_id, run.closed_at)
            return part
        return await self._read_stored(run_id, after=after, limit=limit)

    async def head(self, run_id: str) -> RunHead:
        """See `EventLog.head`."""
        return (await self._heads.require(run_id)).head

    def watch(self, run_id: str, wake: Callable[[], None]) -> _Watch:
        """See `EventLog.watch`."""
        run = self._hearing.run(run_id)
        token = object()
        run.wakes[token] = wake
        if len(run.wakes) == 1:
            self._hearing.update(run)

        def close() -> None:
            if token in run.wakes:
                run.leave(token)
                if not run.wakes:
                    self._hearing.update(run)

        return _Watch(close)

    async def request_cancel(self, run_id: str, by: CancelledBy) -> None:
        """See `EventLog.request_cancel`."""
        word, *fields = await self._calls.do(
            "cancel",
            self._keys.run(run_id)[:1],
            [by.encode(), self._keys.cancels, run_id.encode()],
        )
        if word == b"unknown":
            raise UnknownRun(run_id)
        if word == b"closed":
            self._heads.require_kept(run_id, seconds(fields[0]))
            return
        run = self._hearing.get(run_id)
        if run is not None and run.writer is not None:
            self._hearing.told(run_id, fields[0].decode())

    def watch_cancels(self, told: Callable[[str, CancelledBy], None]) -> _Watch:
        """See `EventLog.watch_cancels`."""
        return _Watch(self._hearing.watch_cancels(told))

    async def renew(self, holder: str, *, term_s: float) -> bool:
        """See `EventLog.renew`."""
        is_kept = await self._leases.renew(holder, term_s=term_s)
        if not is_kept:
            self._writing.doubt(holder)
        return is_kept

    async def release(self, holder: str) -> None:
        """See `EventLog.release`."""
        await self._leases.release(holder)
        self._writing.doubt(holder)

    async def lapsed(self, *, limit: int = 100) -> Sequence[LapsedRun]:
        """See `EventLog.lapsed`."""
        reopened = await self._hearing.reopened()
        lapsed = await self._leases.lapsed(limit=limit)
        run_ids = {run.run_id for run in reopened}
        return [*reopened, *(run for run in lapsed if run.run_id not in run_ids)][:limit]

    async def take_over(self, run_id: str, *, holder: str, epoch: int) -> int:
        """See `EventLog.take_over`."""
        return await self._writing.take_over(run_id, holder=holder, epoch=epoch)

    async def note_read(self, run_ids: Sequence[str]) -> None:
        """See `EventLog.note_read`."""
        at = b"%a" % float(self._now())
        await asyncio.gather(
            *(self._calls.do("note_read", self._keys.run(run_id)[:1], [at]) for run_id in run_ids)
        )

    async def check(self) -> None:
        """See `EventLog.check`. Writes to Redis; tries once."""
        try:
            await self._port.call("check", [self._keys.check], [self._keys.check])
        except (PortLost, PortRefused) as error:
            raise unavailable(error, self._port.place) from error

    async def close(self) -> None:
        """Hang up. Runs stay as they are. Safe to repeat."""
        self._calls.is_closed = True
        await self._hearing.close()
        await self._port.close()

    async def _read_stored(self, run_id: str, *, after: int, limit: int) -> Slice:
        run = self._hearing.get(run_id)
        known_end = 0 if run is None else run.end_offset
        first = max(after + 1, 0)
        word, *stored = await self._calls.do(
            "read", self._keys.run(run_id), [b"%d" % first, b"%d" % (first + limit - 1)]
        )
        end_offset, _, closed_at_said, entries = stored or (0, 0, None, [])
        closed_at = seconds(closed_at_said)
        self._heads.require_kept(run_id, closed_at)
        if run is not None:
            self._require_same(run, after, known_end=known_end, end_offset=end_offset)
        if word == b"unknown":
            raise UnknownRun(run_id)
        if not BEGINNING <= after < end_offset:
            raise CursorBeyondEnd(after, end_offset=end_offset)
        records = unpack_stretch(entries, after=after, limit=limit, end_offset=end_offset)
        if records is None:
            # The records of a run go before what is known of it.
            raise RecordsLost(run_id) if entries or closed_at is None else RunTrimmed(run_id)
        is_all = after + 1 + len(records) == end_offset
        return Slice(records, is_closed=is_all and closed_at is not None)

    def _require_same(self, run: RecentRun, after: int, *, known_end: int, end_offset: int) -> None:
        """Raise `RecordsLost` if the cursor is of a history that is gone."""
        if end_offset < known_end and end_offset < run.end_offset:
            run.lose(end_offset)
            # It may have been closed, and so not been heard any more.
            self._hearing.update(run)
            run.wake()
            if after >= end_offset:
                raise RecordsLost(run.run_id)
        if run.lost_from is not None and after >= run.lost_from:
            raise RecordsLost(run.run_id)
