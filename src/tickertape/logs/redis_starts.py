"""How runs are created in Redis, once for each idempotency key.

A key and its run may lie on two nodes of a cluster, so that no one step can write
both. First the key is claimed for a run id; then the run is created, if it is not
there yet, by whoever comes: where the first died in between, or is slow, another
start with the key creates that run, and one of them all is told that it did.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tickertape.core.errors import IdempotencyConflict, IllegalEvent
from tickertape.core.events import RunStarted
from tickertape.core.record import Record
from tickertape.logs.base import Created
from tickertape.logs.packed_append import pack_append
from tickertape.logs.redis_calls import RedisCalls
from tickertape.logs.redis_head import RedisHeads, RedisLifetimes
from tickertape.logs.redis_keys import RedisKeys
from tickertape.logs.redis_leases import RedisLeases


class RedisStarts:
    """Creates runs, and finds them by their key."""

    def __init__(
        self,
        calls: RedisCalls,
        keys: RedisKeys,
        heads: RedisHeads,
        leases: RedisLeases,
        lifetimes: RedisLifetimes,
        *,
        now: Callable[[], float],
        make_token: Callable[[], bytes],
        created: Callable[[Record, int, str | None], None],
    ) -> None:
        """`created(record, size, holder)` is told of each new run before anybody else."""
        self._calls = calls
        self._keys = keys
        self._heads = heads
        self._leases = leases
        self._lifetimes = lifetimes
        self._now = now
        self._make_token = make_token
        self._created = created

    async def create(
        self,
        started: RunStarted,
        *,
        owner: str | None,
        idempotency_key: str | None,
        fingerprint: str,
        holder: str | None,
    ) -> Created:
        """See `EventLog.create`."""
        if idempotency_key is not None:
            run_id = await self._claim(
                started.run_id, idempotency_key, owner=owner, fingerprint=fingerprint
            )
            if run_id != started.run_id:
                if await self._heads.get(run_id) is not None:
                    return Created(run_id, epoch=0, is_new=False)
                started = msgspec.structs.replace(started, run_id=run_id)
        created = await self._create(started, owner=owner, holder=holder)
        if not created.is_new and idempotency_key is None:
            raise IllegalEvent(f"run {started.run_id!r} has been started already")
        return created

    async def find(self, key: str, *, owner: str | None, fingerprint: str) -> str | None:
        """See `EventLog.find`."""
        word, *claimed = await self._calls.do("find", [self._keys.idempotency(key, owner)])
        if word == b"free":
            return None
        run_id = claimed[0].decode()
        stored = await self._heads.get(run_id)
        if stored is None or self._lifetimes.is_over(stored.closed_at):
            return None
        _require_same(key, claimed[1], fingerprint)
        return str(run_id)

    async def _claim(self, run_id: str, key: str, *, owner: str | None, fingerprint: str) -> str:
        """Return the run that the key names from now on: this one, or that of an earlier start."""
        replaced = b""
        while True:
            word, *claimed = await self._calls.do(
                "claim",
                [self._keys.idempotency(key, owner)],
                [run_id.encode(), fingerprint.encode(), replaced, self._lifetimes.key_ms],
            )
            if word == b"ok":
                return run_id
            earlier = claimed[0].decode()
            stored = await self._heads.get(earlier)
            if stored is None or not self._lifetimes.is_over(stored.closed_at):
                _require_same(key, claimed[1], fingerprint)
                return str(earlier)
            replaced = claimed[0]

    async def _create(
        self, started: RunStarted, *, owner: str | None, holder: str | None
    ) -> Created:
        run_id = started.run_id
        if holder is not None:
            await self._leases.hold(holder, run_id)
        created_at = self._now()
        packed = pack_append([started], epoch=1, appended_at=created_at)
        word, *epoch = await self._calls.do(
            "create",
            self._keys.run(run_id),
            [
                packed,
                self._make_token(),
                _optional(owner),
                _optional(holder),
                b"%a" % float(created_at),
                self._lifetimes.open_ms,
            ],
        )
        if word == b"there":
            return Created(run_id, epoch=0, is_new=False)
        self._created(Record(0, started, epoch[0], float(created_at)), len(packed), holder)
        return Created(run_id, epoch=epoch[0], is_new=True)


def _optional(name: str | None) -> bytes:
    return b"" if name is None else b"=" + name.encode()


def _require_same(key: str, stored: bytes, fingerprint: str) -> None:
    if stored != fingerprint.encode():
        raise IdempotencyConflict(
            f"the idempotency key {key!r} was used with another request; "
            "send a new key with a new request",
            param="Idempotency-Key",
        )
