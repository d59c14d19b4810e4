"""A thread that does jobs in groups: whatever waits when it is free is one group.

Knows nothing of databases. Jobs come from one event loop, and go back to it done.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from tickertape.core.errors import LogError, LogUnavailable, TickertapeError
from tickertape.logs.sqlite.jobs import Job

MAX_GROUP: Final = 1024
"""Jobs done before their callers are told. Each waits for its own, so few ever wait together."""


class Desk(Protocol):
    """What works in the thread. All three calls are made there."""

    def open(self) -> None:
        """Get ready, or raise, which ends the thread."""

    def work(self, jobs: Sequence[Any]) -> None:
        """Do the jobs: give each its result or its error."""

    def close(self) -> None:
        """Release everything."""


class DeskThread:
    """A desk, its thread, and the way there and back. For one event loop."""

    def __init__(self, desk: Desk, *, name: str, done: Callable[[Sequence[Any]], None]) -> None:
        """`done` is called in the event loop with each group of jobs; it settles them."""
        self._desk = desk
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._takes_jobs = False
        # A daemon, so that a log that nobody closed doesn't keep the process from
        # ending: what was acknowledged is in the file already.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    async def start(self) -> None:
        """Start the thread, and return when the desk is open.

        Raises:
            Exception: what opening it raised; the thread has ended then.
        """
        self._thread.start()
        self._takes_jobs = True
        try:
            await asyncio.shield(self._opened)
        except asyncio.CancelledError:
            await self.stop()
            raise

    def put(self, job: Job[Any]) -> None:
        """Have the job done.

        Raises:
            LogUnavailable: the thread has ended.
        """
        if not self._takes_jobs:
            raise LogUnavailable("the log is closed")
        self._jobs.put(job)

    async def stop(self) -> None:
        """Let it finish what it was given, and end. Safe to repeat."""
        if self._takes_jobs:
            self._takes_jobs = False
            self._jobs.put(None)
        if self._thread.ident is not None:
            await asyncio.shield(self._ended)

    def _run(self) -> None:
        try:
            try:
                self._desk.open()
            except BaseException as error:  # noqa: BLE001  # raised where it is awaited
                self._tell(self._end_opening, error)
                return
            self._tell(self._end_opening, None)
            self._work()
        finally:
            self._tell(self._end)

    def _work(self) -> None:
        is_stopped = False
        try:
            while not is_stopped:
                jobs, is_stopped = self._group()
                try:
                    self._desk.work(jobs)
                except BaseException as error:  # noqa: BLE001  # raised where it is awaited
                    # A fault of ours; nobody may wait for ever because of it.
                    fail(jobs, LogUnavailable(f"the log failed: {error!r}"), cause=error)
                self._tell(self._done, jobs)
        finally:
            self._desk.close()

    def _group(self) -> tuple[list[Job[Any]], bool]:
        """Return what waits, but something, and whether the end is reached."""
        jobs: list[Job[Any]] = []
        job = self._jobs.get()
        try:
            while job is not None:
                jobs.append(job)
                if len(jobs) == MAX_GROUP:
                    break
                job = self._jobs.get_nowait()
        except Empty:
            return jobs, False
        return jobs, job is None

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop was closed under an open log. Nobody is left to be told.
            self._takes_jobs = False

    def _end_opening(self, error: BaseException | None) -> None:
        if error is None:
            self._opened.set_result(None)
        else:
            self._takes_jobs = False
            self._opened.set_exception(error)

    def _end(self) -> None:
        self._ended.set_result(None)


def fail(jobs: Sequence[Job[Any]], error: TickertapeError, *, cause: BaseException) -> None:
    """Give every job that has neither result nor error this one."""
    assert isinstance(error, LogError)
    error.__cause__ = cause
    for job in jobs:
        if job.result is None and job.error is None:
            job.error = error
