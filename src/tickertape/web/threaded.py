"""The handlers for callers in threads: on an event loop in the background, opened on first use.

Each process has its own: after a fork the child opens another. What runs on the
process's background loop is closed at exit, and its runs are ended first. Knows
no framework.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from tickertape.engine.background import STOP_TIMEOUT_S, background
from tickertape.web.handlers import Handlers

logger = logging.getLogger("tickertape.web")

_T = TypeVar("_T")


class Loop(Protocol):
    """An event loop that other threads hand coroutines to, as `BackgroundLoop` does."""

    def submit(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run the coroutine on the loop."""

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run the coroutine on the loop and return its result."""


@dataclass(slots=True)
class _Opened:
    """Handlers that are open, and what keeps and ends them."""

    handlers: Handlers
    holding: Future[None]
    leaving: asyncio.Event
    draining: list[Future[None]] = field(default_factory=list)


class ThreadedHandlers:
    """Handlers that any thread may call. The first call in each process opens them.

    On the background loop they are closed at exit. On another loop they stay open
    until its owner ends it.
    """

    def __init__(
        self,
        open_handlers: Callable[[], AbstractAsyncContextManager[Handlers]],
        *,
        loop: Loop = background,
    ) -> None:
        self.loop: Final = loop
        self._open_handlers = open_handlers
        self._opened: _Opened | None = None

    def get(self) -> Handlers:
        """Return the handlers, open.

        Raises:
            ConfigurationError: they can't be opened as this process is configured.
        """
        opened = self._opened
        if opened is None:
            with _process.lock:
                opened = self._opened = self._opened or self._open()
        return opened.handlers

    def drain(self, drain_s: float) -> None:
        """Take no more runs, and end running ones after `drain_s`. Returns at once."""
        if (opened := self._opened) is not None:
            opened.draining.append(self.loop.submit(opened.handlers.engine.drain(drain_s)))

    def close(self) -> None:
        """End all runs (`shutdown`) and close what was opened. The next call opens it again.

        Raises:
            TimeoutError: it took more than `STOP_TIMEOUT_S`.
        """
        with _process.lock:
            opened, self._opened = self._opened, None
            _process.open.discard(self)
        if opened is not None:
            self.loop.call(_set(opened.leaving))
            for future in (opened.holding, *opened.draining):
                future.result(STOP_TIMEOUT_S)

    def forget(self) -> None:
        """Drop what the parent process had opened, without touching it."""
        if self._opened is not None:
            _process.abandoned.append(self._opened)
        self._opened = None

    def _open(self) -> _Opened:
        ready: Future[tuple[Handlers, asyncio.Event]] = Future()
        holding = self.loop.submit(self._hold(ready))
        either: list[Future[Any]] = [ready, holding]
        wait(either, return_when=FIRST_COMPLETED)
        if not ready.done():
            holding.result()
        handlers, leaving = ready.result()
        if self.loop is background:
            _process.open.add(self)
        return _Opened(handlers, holding, leaving)

    async def _hold(self, ready: Future[tuple[Handlers, asyncio.Event]]) -> None:
        """Keep the handlers open, in one task from beginning to end."""
        leaving = asyncio.Event()
        async with self._open_handlers() as handlers:
            ready.set_result((handlers, leaving))
            await leaving.wait()


async def _set(event: asyncio.Event) -> None:
    event.set()


class _Process:
    """What is open on this process's background loop."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open: set[ThreadedHandlers] = set()
        self.abandoned: list[_Opened] = []

    def close(self) -> None:
        """Close everything: the interpreter exits."""
        for handlers in list(self.open):
            try:
                handlers.close()
            except Exception:
                logger.exception("could not be closed at exit")

    def forget(self) -> None:
        """Begin anew in a forked child. What the parent has open is kept, and not touched."""
        self.lock = threading.Lock()
        for handlers in self.open:
            handlers.forget()
        self.open = set()


def drain_runs(drain_s: float) -> None:
    """Take no more runs in this process, and end running ones after `drain_s`.

    For a server's own hook on SIGTERM; returns at once. Their readers get the end
    of the run like any other.
    """
    for handlers in list(_process.open):
        handlers.drain(drain_s)


_process: Final = _Process()

# After `background` registered its own stop, so that this comes before it: a loop
# that stops cancels what it runs, and a run would have no time to write its end.
atexit.register(_process.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forget)
