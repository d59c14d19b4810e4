"""The engine: starts runs, cancels them, drains. Owns every run's task.

A run is the server's, not its reader's: it goes on until it has ended, whoever
listens. Names no concrete provider, log or kind of client.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import msgspec

from tickertape.core.attempts import RetryPolicy
from tickertape.core.cursor import AT_BEGINNING, Cursor
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import Busy, Draining, TickertapeError, UnknownRun
from tickertape.core.events import CancelledBy, RunStarted
from tickertape.core.request import Request
from tickertape.core.run_state import RunState
from tickertape.engine.identity import new_run_id
from tickertape.engine.step import Step
from tickertape.engine.tail import READ_LIMIT, Tail, check_cursor, read_on
from tickertape.engine.writer import write_run
from tickertape.logs.base import Created, EventLog, RunHead
from tickertape.providers.base import Route

logger = logging.getLogger("tickertape.engine")

BUSY_RETRY_AFTER_S: Final = 2.0
DRAINING_RETRY_AFTER_S: Final = 5.0


class _Running:
    """A run that this process writes."""

    __slots__ = ("step", "task")

    def __init__(self, step: Step, task: asyncio.Task[None]) -> None:
        self.step = step
        self.task = task


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run as it stands: what its events fold to, and the cursor to go on from."""

    state: RunState
    cursor: Cursor


class Engine:
    """Runs, in one process. Use as `async with`; leaving cancels what still runs (`shutdown`)."""

    def __init__(
        self,
        log: EventLog,
        *,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        max_runs: int = 1000,
        heartbeat_s: float = 15.0,
        now: Callable[[], float] = time.time,
        make_run_id: Callable[[], str] = new_run_id,
    ) -> None:
        self.log: Final = log
        self.is_draining = False
        self._deadlines = deadlines or Deadlines()
        self._retry = retry or RetryPolicy()
        self._max_runs = max_runs
        self._heartbeat_s = heartbeat_s
        self._now = now
        self._make_run_id = make_run_id
        self._running: dict[str, _Running] = {}
        self._starting = 0
        self._cancels = log.watch_cancels(self._cancel_requested)

    @property
    def running_runs(self) -> int:
        """How many runs this process is writing."""
        return len(self._running)

    async def start(
        self,
        routes: Sequence[Route],
        request: Request,
        *,
        owner: str | None = None,
        idempotency_key: str | None = None,
    ) -> Created:
        """Start a run and return at once, or join the run that the key names.

        The routes are tried in order; the first is what the run's record names.

        Raises:
            Busy: `max_runs` are running. Draining: this process is shutting down.
            IdempotencyConflict: the key's run was started with another request.
        """
        fingerprint = _fingerprint(routes, request)
        if self.is_draining or len(self._running) + self._starting >= self._max_runs:
            return await self._join(idempotency_key, owner, fingerprint)
        self._starting += 1
        try:
            started = RunStarted(
                run_id=self._make_run_id(),
                model=routes[0].model,
                provider=routes[0].provider.name,
                created_at=self._now(),
            )
            created = await self.log.create(
                started, owner=owner, idempotency_key=idempotency_key, fingerprint=fingerprint
            )
            if created.is_new:
                self._write(routes, request, started, epoch=created.epoch)
            return created
        finally:
            self._starting -= 1

    async def tail(
        self, run_id: str, *, after: Cursor = AT_BEGINNING, owner: str | None = None
    ) -> Tail:
        """Return a subscriber to the run. Close it.

        Raises:
            UnknownRun: there is none, or it is not the owner's. RunTrimmed.
            CursorBeyondEnd: there never was such a record.
            RecordsLost: there was, but the log has lost it.
        """
        await check_cursor(self.log, await self.head(run_id, owner=owner), after)
        return Tail(self.log, run_id, after=after, heartbeat_s=self._heartbeat_s)

    async def head(self, run_id: str, *, owner: str | None = None) -> RunHead:
        """Return what the log knows of the run.

        Raises:
            UnknownRun: there is none, or it is not the owner's. RunTrimmed.
        """
        head = await self.log.head(run_id)
        if head.owner != owner:
            raise UnknownRun(run_id)
        return head

    async def snapshot(self, run_id: str, *, owner: str | None = None) -> Snapshot:
        """Return the run as it stands.

        Raises:
            UnknownRun: there is none, or it is not the owner's. RunTrimmed.
            RecordsLost: some were, while it was being read.
        """
        await self.head(run_id, owner=owner)
        state = RunState()
        cursor = AT_BEGINNING
        while True:
            part = await read_on(self.log, run_id, after=cursor)
            for record in part.records:
                state.apply(record.event)
                cursor = Cursor(record.offset, record.epoch)
            if len(part.records) < READ_LIMIT:
                return Snapshot(state, cursor)

    async def cancel(
        self, run_id: str, *, by: CancelledBy = "user", owner: str | None = None
    ) -> Snapshot:
        """Cancel the run and return it when the end is in the log. Safe to repeat.

        Raises:
            UnknownRun: there is none, or it is not the owner's. RunTrimmed.
        """
        async with await self.tail(run_id, owner=owner) as tail:
            await self.log.request_cancel(run_id, by)
            while not tail.is_over:
                await tail.next()
        if running := self._running.get(run_id):
            # Its place is free when the caller goes on, not a moment later.
            await asyncio.wait([running.task])
        return await self.snapshot(run_id, owner=owner)

    async def drain(self, drain_s: float) -> None:
        """Take no more runs, let running ones finish for `drain_s`, then end them (`shutdown`)."""
        self.is_draining = True
        tasks = [running.task for running in self._running.values()]
        if tasks:
            logger.info("draining: waiting up to %g s for %d runs", drain_s, len(tasks))
            await asyncio.wait(tasks, timeout=drain_s)
        self.end_runs()
        tasks = [running.task for running in self._running.values()]
        if tasks:
            await asyncio.wait(tasks)

    def end_runs(self) -> None:
        """Cancel every run of this process (`shutdown`) and take no more."""
        self.is_draining = True
        for running in self._running.values():
            running.step.cancel("shutdown")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.drain(0)
        finally:
            self._cancels.close()

    async def _join(self, key: str | None, owner: str | None, fingerprint: str) -> Created:
        """Return the run that the key names already, since there is no room for another."""
        if key is not None:
            run_id = await self.log.find(key, owner=owner, fingerprint=fingerprint)
            if run_id is not None:
                return Created(run_id, epoch=0, is_new=False)
        raise self.refuses_runs()

    def refuses_runs(self) -> Busy:
        """Return why no run can be started now."""
        if self.is_draining:
            message = "this server is shutting down; try again"
            return Draining(message, retry_after_s=DRAINING_RETRY_AFTER_S)
        message = f"all {self._max_runs} runs of this server are taken; try again later"
        return Busy(message, retry_after_s=BUSY_RETRY_AFTER_S)

    def _write(
        self, routes: Sequence[Route], request: Request, started: RunStarted, *, epoch: int
    ) -> None:
        run_id = started.run_id
        step = Step(routes, request, started=started, deadlines=self._deadlines, retry=self._retry)
        task = asyncio.get_running_loop().create_task(
            write_run(self.log, step, run_id=run_id, epoch=epoch), name=f"run {run_id}"
        )
        self._running[run_id] = _Running(step, task)
        task.add_done_callback(lambda task: self._written(run_id, task))

    def _written(self, run_id: str, task: asyncio.Task[None]) -> None:
        del self._running[run_id]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            level = logging.WARNING if isinstance(error, TickertapeError) else logging.ERROR
            logger.log(level, "run %s could not be written", run_id, exc_info=error)

    def _cancel_requested(self, run_id: str, by: CancelledBy) -> None:
        running = self._running.get(run_id)
        if running is not None:
            running.step.cancel(by)


def _fingerprint(routes: Sequence[Route], request: Request) -> str:
    """Return what must be equal for two starts to be the same."""
    names = [(route.provider.name, route.model) for route in routes]
    return hashlib.sha256(msgspec.json.encode((names, request))).hexdigest()
