"""An event loop without sockets, on virtual time, in an order that a seed draws.

Every callback belongs to somebody: to the process in whose context it was scheduled,
or to the world outside. A process that has died runs no more callbacks, not even its
`finally`; one that is held back runs them all later. That is how `kill -9` and a
process that hangs look to everybody else.

Far leaner than a selector loop, since thousands of schedules are to run in a minute.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any, Final

from tickertape.testing.clock import Stuck


class Owner:
    """Whose callbacks they are: something that can die, or be held back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_held = False
        self.held: list[Handle] = []
        """What it will run when it is let go."""
        self.context = contextvars.Context()
        self.context.run(OWNER.set, self)


OWNER: Final[contextvars.ContextVar[Owner]] = contextvars.ContextVar("owner")


class Handle:
    """A callback that was scheduled."""

    __slots__ = ("_is_cancelled", "_when_s", "args", "callback", "context")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
        when_s: float,
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = contextvars.copy_context() if context is None else context
        self._when_s = when_s
        self._is_cancelled = False

    def cancel(self) -> None:
        """Never run it. Safe to repeat."""
        self._is_cancelled = True

    def cancelled(self) -> bool:
        """Tell whether it was cancelled."""
        return self._is_cancelled

    def when(self) -> float:
        """Return when it is due, on the loop's clock."""
        return self._when_s


class SimulationLoop:
    """Runs what is ready in an order drawn from `random`, then jumps to the next timer."""

    def __init__(self, random: Random) -> None:
        self.failures: list[str] = []
        """What went wrong and had nobody to catch it."""
        self.steps = 0
        self._random = random
        self._now_s = 0.0
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._count = 0
        self._tasks: list[tuple[asyncio.Task[Any], Owner | None]] = []

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now_s

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """See `AbstractEventLoop.call_soon`; but in no order."""
        handle = Handle(callback, args, context, self._now_s)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """See `AbstractEventLoop.call_later`."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """See `AbstractEventLoop.call_at`."""
        handle = Handle(callback, args, context, when)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """See `AbstractEventLoop.create_future`."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        """See `AbstractEventLoop.create_task`."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        # Held until `bury`: what becomes of a dead process's tasks must not depend on
        # when the garbage collector runs.
        owner = OWNER.get(None) if context is None else context.get(OWNER)
        self._tasks.append((task, owner))
        return task

    def get_debug(self) -> bool:
        """Return False: what it would find has tests of its own."""
        return False

    def is_running(self) -> bool:
        """Return True, as far as anybody asks."""
        return True

    def is_closed(self) -> bool:
        """Return False: it has nothing to close."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what went wrong: it is a failure of the schedule."""
        error = context.get("exception")
        self.failures.append(f"{context['message']}: {type(error).__name__}: {error}")

    def run_until(self, is_over: Callable[[], bool], *, limit_s: float) -> None:
        """Run until it is over.

        Raises:
            Stuck: everything waits, or the virtual time has passed `limit_s`.
        """
        events._set_running_loop(self)
        try:
            while not is_over():
                if self._now_s > limit_s:
                    raise Stuck(f"it is not over after {limit_s:g} s of virtual time")
                self._turn()
        finally:
            events._set_running_loop(None)

    def let_go(self, owner: Owner) -> None:
        """Run what was held back."""
        owner.is_held = False
        self._ready += owner.held
        owner.held = []

    def bury(self) -> None:
        """Close what is left of the tasks, quietly: their processes have died."""
        for task, _ in self._tasks:
            if not task.done():
                task._log_destroy_pending = False
        events._set_running_loop(self)
        try:
            for task, _ in self._tasks:
                if not task.done():
                    _close(task.get_coro())
        finally:
            events._set_running_loop(None)
        self._tasks.clear()
        self._ready.clear()
        self._timers.clear()

    def pending(self) -> list[str]:
        """Return the names of living owners' tasks that are not done."""
        return [
            task.get_name()
            for task, owner in self._tasks
            if not task.done() and not (owner is not None and owner.is_dead)
        ]

    def _turn(self) -> None:
        ready = self._ready
        timers = self._timers
        if not ready:
            while timers and timers[0][2]._is_cancelled:
                heapq.heappop(timers)
            if not timers:
                raise Stuck("all tasks wait, and nothing is scheduled that could wake them")
            self._now_s = max(self._now_s, timers[0][0])
        while timers and timers[0][0] <= self._now_s:
            ready.append(heapq.heappop(timers)[2])
        self._ready = []
        if len(ready) > 1:
            self._random.shuffle(ready)
        for handle in ready:
            if handle._is_cancelled:
                continue
            owner = handle.context.get(OWNER)
            if owner is not None:
                if owner.is_dead:
                    continue
                if owner.is_held:
                    owner.held.append(handle)
                    continue
            self.steps += 1
            try:
                handle.context.run(handle.callback, *handle.args)
            except Exception as error:  # noqa: BLE001 - a failure of the schedule, whatever it is
                self.call_exception_handler({"message": "a callback failed", "exception": error})


def _close(coroutine: Any) -> None:
    """Close a coroutine, however often its `finally` waits for something, or raises."""
    for _ in range(5):
        with suppress(Exception):
            coroutine.close()
            return
