"""Who is to be called, and about what, for logs whose readers are in this process."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
F = TypeVar("F", bound=Callable[..., None])


class OpenWatch:
    """A `Watch`."""

    __slots__ = ("close",)

    def __init__(self, close: Callable[[], None]) -> None:
        self.close = close


class Watches(Generic[K, F]):
    """Callbacks by what they watch, in the order in which they came."""

    def __init__(self) -> None:
        self._calls: dict[K, dict[object, F]] = {}

    def __len__(self) -> int:
        """Count what is watched."""
        return len(self._calls)

    def add(self, key: K, call: F) -> OpenWatch:
        """Have it called, until the watch is closed."""
        calls = self._calls.setdefault(key, {})
        token = object()
        calls[token] = call

        def close() -> None:
            calls.pop(token, None)
            if not calls and self._calls.get(key) is calls:
                del self._calls[key]

        return OpenWatch(close)

    def of(self, key: K) -> tuple[F, ...]:
        """Return who is to be called now; they may open and close watches meanwhile."""
        return tuple(self._calls.get(key, {}).values())
