"""A milestone: something that happens once in one thread, waited for in any."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from tickertape.core.errors import TickertapeError

_T = TypeVar("_T")

WAIT_TIMEOUT_S = 10.0
"""How long a test waits at most, unless it says otherwise: no test hangs."""


class WaitedTooLong(TickertapeError):
    """What a test waited for did not happen in time."""


class Milestone(Generic[_T]):
    """Something that happens at most once, and has a value (or an error) from then on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcome: tuple[_T | None, Exception | None] | None = None
        self._wakes: set[Callable[[], object]] = set()

    def reach(self, value: _T) -> None:
        """Say that it happened. Only the first call counts."""
        self._settle((value, None))

    def miss(self, error: Exception) -> None:
        """Say that it can't happen any more. Only the first call counts."""
        self._settle((None, error))

    def wait(self, what: str, *, timeout_s: float = WAIT_TIMEOUT_S) -> Waiting[_T]:
        """Return what can be awaited, or blocked on."""
        return Waiting(self, what, timeout_s)

    def _settle(self, outcome: tuple[_T | None, Exception | None]) -> None:
        with self._lock:
            if self._outcome is not None:
                return
            self._outcome = outcome
            wakes, self._wakes = self._wakes, set()
        for wake in wakes:
            wake()

    def subscribe(self, wake: Callable[[], object]) -> None:
        """Call `wake` once when it happens, in that thread; now, if it has happened."""
        with self._lock:
            if self._outcome is None:
                self._wakes.add(wake)
                return
        wake()

    def unsubscribe(self, wake: Callable[[], object]) -> None:
        """Do not call `wake`. Safe to repeat."""
        with self._lock:
            self._wakes.discard(wake)

    def has_happened(self) -> bool:
        """Return whether it has happened, or can't any more."""
        return self._outcome is not None

    def value(self) -> _T:
        """Return the value, once it has happened.

        Raises:
            Exception: what `miss` was given.
        """
        assert self._outcome is not None, "ask has_happened first"
        value, error = self._outcome
        if error is not None:
            raise error
        return value  # type: ignore[return-value]


class Waiting(Generic[_T]):
    """A wait for a milestone: `await` it in a coroutine, or call `result()` in a thread.

    Both raise WaitedTooLong when it doesn't happen in time.
    """

    def __init__(self, milestone: Milestone[_T], what: str, timeout_s: float) -> None:
        self._milestone = milestone
        self._what = what
        self._timeout_s = timeout_s

    def __await__(self) -> Generator[object, None, _T]:
        return self._wait().__await__()

    def result(self) -> _T:
        """Block this thread until it has happened, and return its value."""
        happened = threading.Event()
        self._milestone.subscribe(happened.set)
        try:
            if not happened.wait(self._timeout_s):
                raise self._too_long()
        finally:
            self._milestone.unsubscribe(happened.set)
        return self._milestone.value()

    async def _wait(self) -> _T:
        loop = asyncio.get_running_loop()
        happened = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(happened.set)

        self._milestone.subscribe(wake)
        try:
            async with asyncio.timeout(self._timeout_s):
                await happened.wait()
        except TimeoutError as error:
            raise self._too_long() from error
        finally:
            self._milestone.unsubscribe(wake)
        return self._milestone.value()

    def _too_long(self) -> WaitedTooLong:
        return WaitedTooLong(f"waited {self._timeout_s} s in vain for {self._what}")
