"""An event loop whose clock jumps: tests of deadlines take no time and never sleep.

When nothing is ready to run, the loop does not wait for its next timer: it moves
its clock there. Real sockets don't mix with it, since their bytes would come
"later" than every timer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from tickertape.core.errors import TickertapeError

_T = TypeVar("_T")


class Stuck(TickertapeError):
    """Every task waits for something that no timer and no ready callback will bring."""


class _NoWaitSelector(selectors.BaseSelector):
    """A selector that passes virtual time instead of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stuck("all tasks wait, and nothing is scheduled that could wake them")
        self._loop.advance(timeout)
        return ready

    def register(
        self,
        fileobj: Any,  # noqa: ANN401
        events: int,
        data: Any = None,  # noqa: ANN401
    ) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401
        return self._real.unregister(fileobj)

    def get_map(self) -> Any:  # noqa: ANN401
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that starts at 0 seconds and jumps from timer to timer."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_NoWaitSelector(self))

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now_s

    def advance(self, by_s: float) -> None:
        """Move the clock forward."""
        self._now_s += by_s


def run_in_virtual_time(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run the coroutine on a `VirtualTimeLoop`, as `asyncio.run` does.

    Raises:
        Stuck: it waits for what can never come. In real time that is a hang.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
