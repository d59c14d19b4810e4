"""What is known of a run in Redis, asked for, and when it counts as trimmed.

Redis lets keys go some time after they are due; for readers it happens on time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from tickertape.core.errors import RunTrimmed, UnknownRun
from tickertape.core.events import CancelledBy
from tickertape.logs.base import RunHead
from tickertape.logs.redis_calls import RedisCalls
from tickertape.logs.redis_keys import RedisKeys

OPEN_S: Final = 7 * 86_400.0
"""How long the keys of a run live after its last append: longer than any run is silent."""
REMEMBER_S: Final = 7 * 86_400.0
"""How long the id of a trimmed run is remembered."""
SLACK_S: Final = 60.0
"""How much longer Redis keeps what is due: our clock and its may differ."""


class RedisLifetimes:
    """How long what is kept. Closed runs for `retention_s`, by the clock `now`."""

    def __init__(self, retention_s: float, *, now: Callable[[], float]) -> None:
        self._retention_s = retention_s
        self._now = now
        self.open_ms = _milliseconds(OPEN_S)
        self.records_ms = _milliseconds(retention_s + SLACK_S)
        self.closed_ms = _milliseconds(retention_s + REMEMBER_S)
        self.key_ms = _milliseconds(OPEN_S + retention_s)

    def is_over(self, closed_at: float | None) -> bool:
        """Tell whether a run that was closed then is kept no more."""
        return closed_at is not None and closed_at <= self._now() - self._retention_s


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A run's head, and when it was closed."""

    head: RunHead
    closed_at: float | None


class RedisHeads:
    """Asks for heads."""

    def __init__(self, calls: RedisCalls, keys: RedisKeys, lifetimes: RedisLifetimes) -> None:
        self._calls = calls
        self._keys = keys
        self._lifetimes = lifetimes

    async def get(self, run_id: str) -> StoredHead | None:
        """Return what Redis has of the run, trimmed or not; None if it has nothing."""
        word, *fields = await self._calls.do("head", self._keys.run(run_id)[:1])
        return None if word == b"unknown" else _stored_head(run_id, fields)

    async def require(self, run_id: str) -> StoredHead:
        """Return the same of a run that is here.

        Raises:
            UnknownRun, RunTrimmed: it is not, or no longer.
        """
        stored = await self.get(run_id)
        if stored is None:
            raise UnknownRun(run_id)
        self.require_kept(run_id, stored.closed_at)
        return stored

    def require_kept(self, run_id: str, closed_at: float | None) -> None:
        """Raise `RunTrimmed` if a run that was closed then is kept no more."""
        if self._lifetimes.is_over(closed_at):
            raise RunTrimmed(run_id)


def _stored_head(run_id: str, fields: Sequence[Any]) -> StoredHead:
    end_offset, epoch, closed_at, cancel_by, holder, owner, read_at = fields
    head = RunHead(
        run_id,
        _text(owner),
        end_offset,
        closed_at is not None,
        cast("CancelledBy | None", _text(cancel_by)),
        epoch,
        None if closed_at is not None else _text(holder),
        float(read_at),
    )
    return StoredHead(head, seconds(closed_at))


def seconds(said: bytes | None) -> float | None:
    """Return a time as a script gives it: nothing, or empty, is none."""
    return float(said) if said else None


def _text(said: bytes | None) -> str | None:
    return None if said is None else said.decode()


def _milliseconds(span_s: float) -> bytes:
    return b"%d" % round(span_s * 1000)
