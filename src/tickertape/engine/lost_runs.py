"""Runs that nobody writes: they are taken over, and ended or gone on with.

Two kinds. *Lapsed*: their writer's lease has run out, so any process may have them, and
of many who try, one does. *Unended*: this process holds them, and could not store
how they end; it does so as soon as the log can be written.

Knows neither tasks nor clocks: `sweep` is called from time to time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from tickertape.core.errors import (
    LeaseHeld,
    LogClosed,
    LogError,
    RunTrimmed,
    StaleEpoch,
    UnknownRun,
)
from tickertape.core.events import AnswerStored, CancelledBy, RunEnded, RunStarted
from tickertape.core.lost_run import end_lost_run
from tickertape.core.record import BEGINNING, Record
from tickertape.core.run_state import RunState
from tickertape.engine.crew import for_each
from tickertape.engine.reattachment import route_to_stored
from tickertape.engine.running import RunningRuns
from tickertape.engine.step import Earlier, Step
from tickertape.engine.tail import READ_LIMIT
from tickertape.logs.base import EventLog, LapsedRun
from tickertape.providers.base import Reattachable, Route

logger = logging.getLogger("tickertape.engine")

BATCH: Final = 100
"""Lapsed runs that are asked for at a time."""

UNKNOWN_FOR_S: Final = 15.0
"""How long a run that could not be created may still come into being."""

MakeStep: TypeAlias = Callable[[Route, RunStarted, Earlier], Step]
"""Makes the step that goes on with a run: where, and what is stored of it."""

_NOT_OURS: Final = (StaleEpoch, LeaseHeld, LogClosed, UnknownRun, RunTrimmed)


class _Unended(Struct):
    ended: RunEnded | None
    """How it should end; None: as the log and its provider allow."""
    since_s: float


class LostRuns:
    """The runs that this process ends for others, or has yet to end itself."""

    def __init__(
        self,
        log: EventLog,
        running: RunningRuns,
        *,
        holder: str,
        route_for: Callable[[str, str], Route | None],
        make_step: MakeStep,
        now: Callable[[], float],
    ) -> None:
        self._log = log
        self._running = running
        self._holder = holder
        self._route_for = route_for
        self._make_step = make_step
        self._now = now
        self._unended: dict[str, _Unended] = {}

    def __len__(self) -> int:
        """Return how many runs this process has written and has yet to end."""
        return sum(each.ended is not None for each in self._unended.values())

    def end_later(self, run_id: str, ended: RunEnded | None = None) -> None:
        """Remember a run that this process may hold, and that it does not write."""
        known = self._unended.get(run_id)
        if known is None or known.ended is None:
            since_s = asyncio.get_running_loop().time()
            self._unended[run_id] = _Unended(ended, since_s)

    def forget(self, run_id: str) -> None:
        """Forget the run: it is being written."""
        self._unended.pop(run_id, None)

    async def end_own(self) -> None:
        """End the runs that this process holds and does not write. What fails stays for later."""
        await for_each(list(self._unended), self._end_own)

    async def take_over_lapsed(self) -> None:
        """Take over the runs whose writers' leases have run out."""
        tried: set[str] = set()
        limit = BATCH
        while True:
            found = await self._log.lapsed(limit=limit)
            # None is tried twice in one sweep, whatever became of it.
            lapsed = [
                run for run in found if run.run_id not in tried and run.run_id not in self._running
            ]
            if not lapsed and len(found) < limit:
                return
            limit = BATCH + len(found) - len(lapsed)
            tried.update(run.run_id for run in lapsed)
            await for_each(lapsed, self._take_over_lapsed)

    async def _take_over_lapsed(self, run: LapsedRun) -> None:
        try:
            await self._take_over(run.run_id, epoch=run.epoch)
        except LogError as error:
            logger.warning("run %s: could not be taken over: %s", run.run_id, error)
        except Exception:
            # One that can't be read must not keep the others from being ended.
            logger.exception("run %s: could not be taken over", run.run_id)

    async def _end_own(self, run_id: str) -> None:
        unended = self._unended[run_id]
        try:
            head = await self._log.head(run_id)
            if head.is_closed or head.holder != self._holder or run_id in self._running:
                self.forget(run_id)
            else:
                await self._take_over(run_id, epoch=head.epoch, ended=unended.ended)
        except UnknownRun:
            # Its creation may be on its way to the log.
            if asyncio.get_running_loop().time() - unended.since_s > UNKNOWN_FOR_S:
                self.forget(run_id)
        except RunTrimmed:
            self.forget(run_id)
        except LogError as error:
            logger.warning("run %s: could not be ended: %s", run_id, error)
        except Exception:
            logger.exception("run %s: could not be ended", run_id)

    async def _take_over(self, run_id: str, *, epoch: int, ended: RunEnded | None = None) -> None:
        """Become the run's writer, and end it or go on with it.

        Raises:
            LogError: it could not be done; where it may be ours, it is not forgotten.
        """
        with self._running.expecting() as asked:
            try:
                epoch = await self._log.take_over(run_id, holder=self._holder, epoch=epoch)
                self.end_later(run_id, ended)
                records = await read_all(self._log, run_id)
                head = await self._log.head(run_id)
                by = head.cancel_requested_by or asked.get(run_id)
                if ended is not None or not self._go_on(run_id, epoch, records, by=by):
                    end = _end_of(records, ended, by=by)
                    await self._log.append(run_id, [end], epoch=epoch)
                    logger.warning("run %s: ended for a writer that was lost", run_id)
            except _NOT_OURS as error:
                logger.info("run %s: %s", run_id, error)
            except (LogError, asyncio.CancelledError):
                self.end_later(run_id, ended)
                raise
            self.forget(run_id)

    def _go_on(
        self, run_id: str, epoch: int, records: list[Record], *, by: CancelledBy | None
    ) -> bool:
        """Go on with the answer where its provider stores it; return False where it does not.

        Where somebody asked to cancel the run, the provider is told to stop instead.
        """
        stored: AnswerStored | None = None
        for record in records:
            if isinstance(record.event, AnswerStored):
                stored = record.event
        route = None if stored is None else self._route_for(stored.provider, stored.model)
        if stored is None or route is None or not isinstance(route.provider, Reattachable):
            return False
        if by is not None:
            route.provider.stop(stored.response_id, model=stored.model)
            return False
        state = RunState()
        for record in records:
            state.apply(record.event)
        assert state.started is not None
        earlier = Earlier(
            state,
            age_s=max(0.0, self._now() - state.started.created_at),
            first_progress_s=_end_of(records, None, by=None).timings.first_progress_s,
        )
        going_on = route_to_stored(route.provider, stored, state)
        step = self._make_step(going_on, state.started, earlier)
        self._running.write(step, run_id=run_id, epoch=epoch)
        logger.warning("run %s: taken over, and gone on with", run_id)
        return True


def _end_of(
    records: Iterable[Record], ended: RunEnded | None, *, by: CancelledBy | None
) -> RunEnded:
    """Return the end of a run with these records: as it was to end, with what is stored of it."""
    lost = end_lost_run(
        ((record.appended_at, [record.event]) for record in records), cancelled_by=by
    )
    if ended is None:
        return lost
    return msgspec.structs.replace(
        ended,
        outcome=lost.outcome,
        length=lost.length,
        error=None if by else ended.error,
        cancelled_by=by,
    )


async def read_all(log: EventLog, run_id: str) -> list[Record]:
    """Return all records of the run.

    Raises:
        UnknownRun, RunTrimmed: the run is not, or no longer, here.
    """
    records: list[Record] = []
    cursor = BEGINNING
    while True:
        part = await log.read(run_id, after=cursor, limit=READ_LIMIT)
        records += part.records
        if len(part.records) < READ_LIMIT:
            return records
        cursor = records[-1].offset
