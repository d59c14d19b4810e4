"""As much of Redis's data as our scripts use: hashes, streams, sorted sets, sets, expiry.

A command does what Redis's does, in Python values: bytes for strings, None for what
is not there. Knows no script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

StreamId: TypeAlias = tuple[int, int]
Entry: TypeAlias = list[object]
"""As Redis replies it: the id, and the fields and values in one list."""


@dataclass(slots=True)
class Stream:
    """Entries in the order of their ids, which only rise."""

    entries: list[tuple[StreamId, bytes]] = field(default_factory=list)
    last: StreamId = (0, 0)


Value: TypeAlias = "dict[bytes, bytes] | dict[bytes, float] | dict[bytes, None] | Stream | bytes"
_V = TypeVar("_V")


class WrongOrder(Exception):
    """A stream's new id is not above its last one."""


class RedisData:
    """The keys of one Redis. `now_ms` is its clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.published: list[tuple[bytes, bytes]] = []
        """Messages since somebody took them."""
        self._values: dict[bytes, object] = {}
        self._expires_at_ms: dict[bytes, int] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._expires_at_ms.clear()

    def names(self) -> list[bytes]:
        """Return the keys that there are."""
        return [key for key in list(self._values) if self.exists(key)]

    def exists(self, key: bytes) -> bool:
        """EXISTS."""
        if self._expires_at_ms.get(key, self.now_ms() + 1) <= self.now_ms():
            self.delete(key)
        return key in self._values

    def delete(self, key: bytes) -> None:
        """DEL."""
        self._values.pop(key, None)
        self._expires_at_ms.pop(key, None)

    def expire(self, key: bytes, after_ms: int) -> None:
        """PEXPIRE."""
        if self.exists(key):
            self._expires_at_ms[key] = self.now_ms() + after_ms

    def time_to_live_ms(self, key: bytes) -> int:
        """PTTL."""
        if not self.exists(key):
            return -2
        expires_at_ms = self._expires_at_ms.get(key)
        return -1 if expires_at_ms is None else expires_at_ms - self.now_ms()

    def set(self, key: bytes, value: bytes, *, after_ms: int) -> None:
        """SET with PX."""
        self._values[key] = value
        self._expires_at_ms[key] = self.now_ms() + after_ms

    def fields(self, key: bytes, *names: bytes) -> list[bytes | None]:
        """HMGET."""
        found: dict[bytes, bytes] = self._get(key, {})
        return [found.get(name) for name in names]

    def set_fields(self, key: bytes, *pairs: bytes | int) -> None:
        """HSET."""
        kept: dict[bytes, bytes] = self._made(key, {})
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            kept[_bytes(name)] = _bytes(value)

    def add_entry(self, key: bytes, entry_id: StreamId, value: bytes) -> None:
        """XADD with one field `r`."""
        stream = self._made(key, Stream())
        if entry_id <= stream.last:
            raise WrongOrder(f"{entry_id} is not above {stream.last}")
        stream.entries.append((entry_id, value))
        stream.last = entry_id

    def entries(self, key: bytes, first: StreamId, last: StreamId) -> list[Entry]:
        """XRANGE, both ends included."""
        stream: Stream = self._get(key, Stream())
        return [_entry(each) for each in stream.entries if first <= each[0] <= last]

    def last_entry(self, key: bytes, upto: StreamId) -> Entry | None:
        """XREVRANGE with COUNT 1."""
        stream: Stream = self._get(key, Stream())
        found = [each for each in stream.entries if each[0] <= upto]
        return _entry(found[-1]) if found else None

    def scores(self, key: bytes) -> dict[bytes, float]:
        """Return a sorted set to change: only ever in a key that exists afterwards."""
        return self._made(key, {})

    def score(self, key: bytes, member: bytes) -> int | None:
        """ZSCORE."""
        found: dict[bytes, float] = self._get(key, {})
        return None if member not in found else int(found[member])

    def members_upto(self, key: bytes, score: int, *, limit: int) -> list[bytes]:
        """ZRANGEBYSCORE from -inf."""
        found: dict[bytes, float] = self._get(key, {})
        chosen = sorted((value, member) for member, value in found.items() if value <= score)
        return [member for _, member in chosen[:limit]]

    def add_members(self, key: bytes, members: Iterable[bytes]) -> None:
        """SADD."""
        kept: dict[bytes, None] = self._made(key, {})
        kept.update(dict.fromkeys(members))

    def remove_members(self, key: bytes, members: Iterable[bytes]) -> None:
        """SREM, or ZREM."""
        kept: dict[bytes, object] = self._get(key, {})
        for member in members:
            kept.pop(member, None)
        if not kept and key in self._values:
            self.delete(key)

    def members(self, key: bytes) -> list[bytes]:
        """SMEMBERS."""
        found: dict[bytes, None] = self._get(key, {})
        return list(found)

    def publish(self, channel: bytes, message: bytes) -> None:
        """PUBLISH."""
        self.published.append((channel, message))

    def _get(self, key: bytes, absent: _V) -> _V:
        return self._values[key] if self.exists(key) else absent  # type: ignore[return-value]

    def _made(self, key: bytes, empty: _V) -> _V:
        if not self.exists(key):
            self._values[key] = empty
        return self._values[key]  # type: ignore[return-value]


def _entry(entry: tuple[StreamId, bytes]) -> Entry:
    (first, second), value = entry
    return [b"%d-%d" % (first, second), [b"r", value]]


def _bytes(value: bytes | int) -> bytes:
    return value if isinstance(value, bytes) else b"%d" % value
