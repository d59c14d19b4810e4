"""The one background event loop that serves synchronous callers.

Started on first use, in a daemon thread; stopped at exit. After a fork the child
starts its own. Knows nothing of what runs on it: whatever must be closed with the
loop lives in an async generator, which the loop closes before it ends.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, ParamSpec, TypeVar

STOP_TIMEOUT_S: Final = 5.0
"""How long what is cancelled at the end may take to tidy up, and async generators to close."""

_T = TypeVar("_T")
_P = ParamSpec("_P")


class BackgroundLoop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        # Reentrant: collecting garbage inside `submit` may run code that submits, too.
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._abandoned: list[asyncio.AbstractEventLoop] = []

    def submit(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run the coroutine on the loop. Cancelling the future cancels the coroutine."""
        call = _Call(coroutine)
        self._hand_over(call)
        return call.future

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run the coroutine on the loop and return its result.

        Whatever interrupts the wait (`KeyboardInterrupt`, say) cancels the coroutine.
        """
        call = _Call(coroutine)
        try:
            self._hand_over(call)
            return call.future.result()
        except BaseException:
            # An interrupt may come in the middle of handing over, too.
            call.future.cancel()
            call.drop()
            raise

    def stop(self) -> None:
        """Cancel what still runs, wait for it, and end the thread. Safe to repeat."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            if loop is not None:
                loop.call_soon_threadsafe(loop.stop)
        if thread is not None:
            thread.join()

    def forget(self) -> None:
        """Drop the loop without touching it: in a forked child its thread does not exist.

        It is kept, unused: closing it would take the parent's sockets out of the
        selector that both processes share.
        """
        if self._loop is not None:
            self._loop.set_exception_handler(_say_nothing)
            self._abandoned.append(self._loop)
        self._lock = threading.RLock()
        self._loop = self._thread = None

    def _hand_over(self, call: _Call[Any]) -> None:
        # Under the lock, so that `stop` comes before or after it as a whole.
        with self._lock:
            try:
                loop = self._started()
            except BaseException:
                call.drop()
                raise
            loop.call_soon_threadsafe(call.start, loop)

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(
                target=_run_until_stopped, args=(loop,), name="tickertape", daemon=True
            )
            try:
                thread.start()
            except BaseException:  # RuntimeError, when the interpreter is shutting down
                loop.close()
                raise
            self._loop, self._thread = loop, thread
        return self._loop


class _Call(Generic[_T]):
    """A coroutine on its way to the loop, and its result on the way back.

    `asyncio.run_coroutine_threadsafe` gives its future away only at the end: who
    is interrupted before that has started something that nobody can cancel.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, _T]) -> None:
        self.future: Future[_T] = Future()
        self._coroutine = coroutine
        self._task: asyncio.Task[_T] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the coroutine, unless it was cancelled on the way. For the loop's thread."""
        if self.future.cancelled():
            self._coroutine.close()
            return
        self._task = loop.create_task(self._coroutine)
        self._task.add_done_callback(self._finish)
        self.future.add_done_callback(self._pass_on_cancel)

    def drop(self) -> None:
        """Close the coroutine if it never reached the loop."""
        if self._task is None:
            self._coroutine.close()

    def _pass_on_cancel(self, future: Future[_T]) -> None:
        if future.cancelled() and self._task is not None:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def _finish(self, task: asyncio.Task[_T]) -> None:
        if task.cancelled():
            self.future.cancel()
        error = None if task.cancelled() else task.exception()
        if not self.future.set_running_or_notify_cancel():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())


class _Executor(ThreadPoolExecutor):
    """A thread pool that still works, without threads, while the interpreter exits.

    What the loop closes then may need one (the embedded model does), but no pool
    of the standard library takes work any more.
    """

    def submit(
        self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]:
        try:
            return super().submit(function, *args, **kwargs)
        except RuntimeError:
            if threading.main_thread().is_alive():
                raise
        future: Future[_T] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  # for whoever awaits the future
            future.set_exception(error)
        return future


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    # The loop's own way to wait for its executor starts a thread, which is no
    # longer possible when the interpreter exits (Python 3.12).
    executor = _Executor(thread_name_prefix="tickertape")
    loop.set_default_executor(executor)
    try:
        loop.run_forever()
        loop.run_until_complete(_tidy_up(loop))
        executor.shutdown()
    finally:
        loop.close()


async def _tidy_up(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
    async with asyncio.timeout(STOP_TIMEOUT_S):
        await loop.shutdown_asyncgens()


def _say_nothing(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Ignore what a forked child finds unclosed: its parent has it, and closes it."""


background = BackgroundLoop()
"""The process's own."""

atexit.register(background.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=background.forget)
