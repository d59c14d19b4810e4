"""Leases in Redis: who holds which runs, and whose lease has run out.

A lease is one entry for each holder, on Redis's own clock, so that the clocks of
machines don't matter. Beside it stands which runs a holder *may* hold: that is
written before a run is given to it, and what is too much there is taken out later,
since who holds a run stands in the run itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Final

from tickertape.logs.base import LapsedRun
from tickertape.logs.redis_calls import RedisCalls
from tickertape.logs.redis_head import RedisHeads
from tickertape.logs.redis_keys import RedisKeys
from tickertape.logs.redis_port import Reply

LIFETIME_MS: Final = b"%d" % (14 * 86_400_000)
"""Of the leases and of what is held; renewed with each lease."""
FORGET_AFTER_MS: Final = b"3600000"
"""A holder without runs is dropped so long after its lease: it may be starting one."""
HEADS_AT_A_TIME: Final = 128


class RedisLeases:
    """All holders' leases. `now` gives UTC seconds, if it counts in place of Redis's clock."""

    def __init__(
        self,
        calls: RedisCalls,
        keys: RedisKeys,
        heads: RedisHeads,
        *,
        now: Callable[[], float] | None,
    ) -> None:
        self._calls = calls
        self._keys = keys
        self._heads = heads
        self._now = now
        self._renewed: set[str] = set()
        self._ended: dict[str, list[bytes]] = {}

    async def renew(self, holder: str, *, term_s: float) -> bool:
        """See `EventLog.renew`."""
        term_ms = b"%d" % math.ceil(term_s * 1000)
        (word,), _ = await asyncio.gather(
            self._do("renew", holder.encode(), term_ms, self._clock(), LIFETIME_MS),
            self._note_held(holder),
        )
        # A lease that Redis has lost was not kept up, as far as others could tell.
        is_lost = word == b"new" and holder in self._renewed
        self._renewed.add(holder)
        return word != b"lapsed" and not is_lost

    async def release(self, holder: str) -> None:
        """See `EventLog.release`."""
        self._renewed.discard(holder)
        await self._do("release", holder.encode(), self._clock())

    async def hold(self, holder: str, run_id: str) -> None:
        """Note that the holder may hold the run. To be done before it does."""
        await asyncio.gather(
            self._do("enlist", holder.encode(), self._clock(), LIFETIME_MS),
            self._note_held(holder, run_id.encode()),
        )

    def note_end(self, holder: str | None, run_id: str) -> None:
        """Note that the run needs no holder any more; it is told with the next call."""
        if holder is not None:
            self._ended.setdefault(holder, []).append(run_id.encode())

    async def has_lapsed(self, holder: str | None) -> bool:
        """Tell whether the holder's lease has run out; nobody's never does."""
        if holder is None:
            return False
        (word,) = await self._do("lease", holder.encode(), self._clock())
        return bool(word == b"lapsed")

    async def lapsed(self, *, limit: int) -> Sequence[LapsedRun]:
        """See `EventLog.lapsed`."""
        _, holders = await self._do("lapsed", self._clock())
        found: list[LapsedRun] = []
        for holder in holders:
            if len(found) >= limit:
                break
            found += await self._held(holder.decode(), limit=limit - len(found))
        return found

    async def _held(self, holder: str, *, limit: int) -> list[LapsedRun]:
        """Return runs that the holder does hold, and take out what it holds no more."""
        _, run_ids = await self._calls.do("held", [self._keys.held(holder)])
        if not run_ids:
            await self._do("forget", holder.encode(), self._clock(), FORGET_AFTER_MS)
        found: list[LapsedRun] = []
        for first in range(0, len(run_ids), HEADS_AT_A_TIME):
            part = run_ids[first : first + HEADS_AT_A_TIME]
            heads = await asyncio.gather(*(self._heads.get(run_id.decode()) for run_id in part))
            passed: list[bytes] = []
            for run_id, stored in zip(part, heads, strict=True):
                if stored is None:
                    continue  # it may be just about to be created
                if stored.head.is_closed or stored.head.holder != holder:
                    passed.append(run_id)
                else:
                    found.append(LapsedRun(stored.head.run_id, stored.head.epoch))
            if passed:
                await self._calls.do("hold", [self._keys.held(holder)], [LIFETIME_MS, b"", *passed])
            if len(found) >= limit:
                break
        return found[:limit]

    async def _note_held(self, holder: str, run_id: bytes = b"") -> None:
        ended = self._ended.pop(holder, [])
        try:
            await self._calls.do(
                "hold", [self._keys.held(holder)], [LIFETIME_MS, run_id, *ended[:1000]]
            )
        except BaseException:
            self._ended.setdefault(holder, []).extend(ended)
            raise
        if ended[1000:]:
            self._ended.setdefault(holder, []).extend(ended[1000:])

    async def _do(self, script: str, *arguments: bytes) -> Reply:
        return await self._calls.do(script, [self._keys.leases], arguments)

    def _clock(self) -> bytes:
        return b"" if self._now is None else b"%d" % round(self._now() * 1000)
