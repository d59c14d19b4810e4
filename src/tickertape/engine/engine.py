"""The engine: starts runs, cancels them, drains, and takes over those of the dead.

A run is the server's, not its reader's: it goes on until it has ended, whoever
listens, and whatever process dies. Names no concrete provider, log or kind of client.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from tickertape.core.attempts import RetryPolicy
from tickertape.core.cursor import AT_BEGINNING, Cursor
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import (
    Busy,
    Draining,
    LogUnavailable,
    RecordsLost,
    UnknownRun,
)
from tickertape.core.events import CancelledBy, RunEnded, RunStarted
from tickertape.core.request import Request
from tickertape.engine.identity import new_holder, new_run_id
from tickertape.engine.keeper import Keeper
from tickertape.engine.lost_runs import LostRuns
from tickertape.engine.readers import Readers
from tickertape.engine.reattachment import NO_REQUEST
from tickertape.engine.running import END_TIMEOUT_S, RunningRuns
from tickertape.engine.snapshot import Snapshot, take_snapshot
from tickertape.engine.step import Earlier, Step
from tickertape.engine.tail import Tail, check_cursor
from tickertape.logs.base import Created, EventLog, RunHead
from tickertape.providers.base import Route

logger = logging.getLogger("tickertape.engine")

BUSY_RETRY_AFTER_S: Final = 2.0
DRAINING_RETRY_AFTER_S: Final = 5.0


def _nowhere(_provider: str, _model: str) -> Route | None:
    return None


class Engine:
    """Runs, in one process. Use as `async with`; leaving cancels what still runs (`shutdown`).

    Several engines may share one log. What one starts, all can read and cancel; what
    one leaves unfinished, another ends within two terms of its lease.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        max_runs: int = 1000,
        max_subscribers: int = 10_000,
        heartbeat_s: float = 15.0,
        lease_term_s: float = 5.0,
        abandon_after_s: float | None = None,
        route_for: Callable[[str, str], Route | None] = _nowhere,
        now: Callable[[], float] = time.time,
        make_run_id: Callable[[], str] = new_run_id,
        make_holder: Callable[[], str] = new_holder,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        """Make an engine over a log.

        A process that is silent for `lease_term_s` counts as dead. A run that nobody
        reads for `abandon_after_s` is cancelled (`abandoned`); None: never. `route_for`
        finds the provider and model that a run's record names, so that a stored
        answer can be gone on with. `fraction` spreads retries: at random from 0 to 1.

        Raises:
            ConfigurationError: a setting is no time.
        """
        self.log: Final = log
        self.is_draining = False
        self._deadlines = deadlines or Deadlines()
        self._retry = retry or RetryPolicy()
        self._max_runs = max_runs
        self._heartbeat_s = heartbeat_s
        self._now = now
        self._make_run_id = make_run_id
        self._fraction = fraction
        self._starting = 0
        holder = make_holder()
        self._readers = Readers(max_subscribers)
        self._tails: set[Tail] = set()
        self._has_drained = False
        self._running = RunningRuns(
            log,
            abandon_after_s=abandon_after_s,
            on_unended=self._end_soon,
        )
        self._lost = LostRuns(
            log,
            self._running,
            holder=holder,
            route_for=route_for,
            make_step=self._step_of_stored,
            now=now,
        )
        self._keeper = Keeper(
            log,
            holder=holder,
            term_s=lease_term_s,
            running=self._running,
            lost=self._lost,
            readers=self._readers,
            abandon_after_s=abandon_after_s,
        )

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
        if self.is_draining or self._is_full():
            return await self._join(idempotency_key, owner, fingerprint)
        self._starting += 1
        try:
            started = RunStarted(
                run_id=self._make_run_id(),
                model=routes[0].model,
                provider=routes[0].provider.name,
                created_at=self._now(),
            )
            await self._keeper.hold()
            with self._running.expecting() as asked:
                created = await self._create(
                    started, owner=owner, idempotency_key=idempotency_key, fingerprint=fingerprint
                )
                if created.is_new:
                    run_id, epoch = created.run_id, created.epoch
                    started = msgspec.structs.replace(started, run_id=run_id)
                    step = self._step(routes, request, started, epoch=epoch)
                    self._lost.forget(run_id)
                    by = asked.get(run_id) or (None if self._keeper.takes_over else "shutdown")
                    self._running.write(step, run_id=run_id, epoch=epoch, cancelled_by=by)
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
            Busy: `max_subscribers` read already.
        """
        await check_cursor(self.log, await self.head(run_id, owner=owner), after)
        self._readers.enter(run_id)
        try:
            tail = self._tail(run_id, after=after, left=lambda: self._leave(run_id, tail))
        except BaseException:
            self._readers.leave(run_id)
            raise
        self._tails.add(tail)
        if self._has_drained:
            tail.finish()
        return tail

    def require_place_for_reader(self) -> None:
        """Return if `tail` has room for another subscriber.

        Raises:
            Busy: `max_subscribers` read already.
        """
        self._readers.require_room()

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
        self._readers.note(run_id)
        return await take_snapshot(self.log, run_id)

    async def cancel(
        self, run_id: str, *, by: CancelledBy = "user", owner: str | None = None
    ) -> Snapshot:
        """Cancel the run and return it when the end is in the log. Safe to repeat.

        Raises:
            UnknownRun: there is none, or it is not the owner's. RunTrimmed.
        """
        await self.head(run_id, owner=owner)
        while True:
            try:
                async with self._tail(run_id) as tail:
                    await self.log.request_cancel(run_id, by)
                    while not tail.is_over:
                        await tail.next()
            except RecordsLost:
                continue  # only the end matters here: wait for the one that there will be
            break
        if running := self._running.get(run_id):
            # Its place is free when the caller goes on, not a moment later.
            await asyncio.wait([running.task])
        return await self.snapshot(run_id, owner=owner)

    async def drain(self, drain_s: float) -> None:
        """Take no more runs, let running ones finish for `drain_s`, then end them (`shutdown`).

        One that can't store its end soon after is left to other processes.
        """
        self._stop_taking()
        if self._running:
            logger.info("draining: waiting up to %g s for %d runs", drain_s, len(self._running))
        await self._running.finish(drain_s)
        self.end_runs()
        await self._running.finish(END_TIMEOUT_S)
        await self._running.give_up()
        # What is left are runs of other processes: their readers go on there.
        self._has_drained = True
        for tail in self._tails:
            tail.finish()

    def end_runs(self) -> None:
        """Cancel every run of this process (`shutdown`) and take no more."""
        self._stop_taking()
        self._running.cancel_all("shutdown")

    async def __aenter__(self) -> Self:
        self._keeper.start()
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
            await self._keeper.stop()
            await self._running.give_up()
            self._running.close()
            await self._keeper.leave()

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

    async def _create(
        self,
        started: RunStarted,
        *,
        owner: str | None,
        idempotency_key: str | None,
        fingerprint: str,
    ) -> Created:
        try:
            return await self.log.create(
                started,
                owner=owner,
                idempotency_key=idempotency_key,
                fingerprint=fingerprint,
                holder=self._keeper.holder,
            )
        except (LogUnavailable, asyncio.CancelledError):
            # It may have been created: with nobody to write it, and readers who found its key.
            self._keeper.end_soon(started.run_id)
            raise

    def _end_soon(self, run_id: str, ended: RunEnded | None) -> None:
        self._keeper.end_soon(run_id, ended)

    def _leave(self, run_id: str, tail: Tail) -> None:
        self._readers.leave(run_id)
        self._tails.discard(tail)

    def _stop_taking(self) -> None:
        self.is_draining = True
        self._keeper.takes_over = False

    def _is_full(self) -> bool:
        return len(self._running) + len(self._lost) + self._starting >= self._max_runs

    def _tail(
        self,
        run_id: str,
        *,
        after: Cursor = AT_BEGINNING,
        left: Callable[[], None] = lambda: None,
    ) -> Tail:
        return Tail(self.log, run_id, after=after, heartbeat_s=self._heartbeat_s, left=left)

    def _step(
        self,
        routes: Sequence[Route],
        request: Request,
        started: RunStarted,
        *,
        epoch: int,
    ) -> Step:
        return Step(
            routes,
            request,
            started=started,
            deadlines=self._deadlines,
            retry=self._retry,
            fraction=self._fraction,
            on_stored=lambda stored: self.log.append(started.run_id, [stored], epoch=epoch),
        )

    def _step_of_stored(self, route: Route, started: RunStarted, earlier: Earlier) -> Step:
        """Return the step that goes on with a run of another process."""
        return Step(
            [route], NO_REQUEST, started=started, deadlines=self._deadlines, earlier=earlier
        )


def _fingerprint(routes: Sequence[Route], request: Request) -> str:
    """Return what must be equal for two starts to be the same."""
    names = [(route.provider.name, route.model) for route in routes]
    return hashlib.sha256(msgspec.json.encode((names, request))).hexdigest()
