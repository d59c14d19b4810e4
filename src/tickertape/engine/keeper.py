"""The keeper: keeps this process's lease, and looks after runs that nobody writes or reads.

One task renews the lease every third of its term, in one call for all runs. Each time
it starts a sweep, unless one is going on still: so renewing never waits for
thousands of runs to be taken over.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from tickertape.core.errors import ConfigurationError, LogError
from tickertape.core.events import RunEnded
from tickertape.engine.lost_runs import LostRuns
from tickertape.engine.readers import Readers
from tickertape.engine.running import RunningRuns
from tickertape.logs.base import EventLog

logger = logging.getLogger("tickertape.engine")

RENEWALS_PER_TERM: Final = 3
"""Two renewals may fail before the lease runs out."""

LEAVE_TIMEOUT_S: Final = 1.0
"""How long each thing may take that a process does for its runs when it leaves."""


class Keeper:
    """One engine's lease. `start` it; then `stop`, and `leave`, in every case."""

    def __init__(
        self,
        log: EventLog,
        *,
        holder: str,
        term_s: float,
        running: RunningRuns,
        lost: LostRuns,
        readers: Readers,
        abandon_after_s: float | None,
    ) -> None:
        """Make a keeper of the holder's lease, and of the runs that it covers.

        Raises:
            ConfigurationError: a time is none.
        """
        if not term_s > 0:
            raise ConfigurationError(f"lease_term_s must be more than 0, not {term_s!r}")
        if abandon_after_s is not None and not abandon_after_s > 0:
            raise ConfigurationError(
                f"abandon_after_s must be None or more than 0, not {abandon_after_s!r}"
            )
        self.holder: Final = holder
        self.takes_over = True
        """Set False, runs of others are left to others: this process is about to go."""
        self._log = log
        self._term_s = term_s
        self._running = running
        self._lost = lost
        self._readers = readers
        self._notes_readers = abandon_after_s is not None
        self._expires_at_s: float | None = None
        """On the event loop's clock, and at the earliest; None before the first renewal."""
        self._has_lapsed = False
        """The lease had run out: others may have taken over runs that are written here."""
        self._keeping: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._sweeps_again = False
        self._is_reachable = True

    def start(self) -> None:
        """Begin to keep the lease."""
        self._keeping = asyncio.get_running_loop().create_task(self._keep(), name="lease keeper")

    async def hold(self) -> None:
        """Return with a lease that covers a new run.

        Raises:
            LogUnavailable: it could not be renewed.
        """
        now_s = asyncio.get_running_loop().time()
        if self._expires_at_s is None or now_s >= self._expires_at_s:
            await self._renew()

    def end_soon(self, run_id: str, ended: RunEnded | None = None) -> None:
        """End a run that may be this process's and that nobody writes, as soon as the log can."""
        self._lost.end_later(run_id, ended)
        self._sweep_soon()

    async def stop(self) -> None:
        """Stop both tasks. The lease goes on until it is released, or runs out. Safe to repeat."""
        self._is_stopped = True
        tasks = [task for task in (self._keeping, self._sweeping) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def leave(self) -> None:
        """Try once more to end what is unended, and release the lease: others get the rest.

        Takes a short time only, whatever the log does.
        """
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await self._lost.end_own()
        except TimeoutError:
            logger.warning("%d runs are left for others to end", len(self._lost))
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await self._log.release(self.holder)
        except (LogError, TimeoutError) as error:
            reason = str(error) or f"no answer within {LEAVE_TIMEOUT_S:g} s"
            logger.warning("the lease could not be released, and runs out by itself: %s", reason)

    async def _keep(self) -> None:
        while True:
            try:
                await self._renew()
            except LogError as error:
                self._note_reachable(error)
            except Exception:
                logger.exception("the lease could not be renewed through a fault of ours")
            else:
                self._note_reachable(None)
            self._sweep_soon()
            await asyncio.sleep(self._term_s / RENEWALS_PER_TERM)

    async def _renew(self) -> None:
        asked_at_s = asyncio.get_running_loop().time()
        expires_at_s = self._expires_at_s
        was_held = await self._log.renew(self.holder, term_s=self._term_s)
        if expires_at_s is not None and not (was_held and asked_at_s < expires_at_s):
            self._has_lapsed = True
        self._expires_at_s = asked_at_s + self._term_s

    def _sweep_soon(self) -> None:
        """Sweep now; where a sweep is going on, once more after it."""
        if self._is_stopped:
            return
        if self._sweeping is not None:
            self._sweeps_again = True
            return
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep(), name="sweep")
        self._sweeping.add_done_callback(self._swept)

    def _swept(self, _task: asyncio.Task[None]) -> None:
        self._sweeping = None
        if self._sweeps_again:
            self._sweeps_again = False
            self._sweep_soon()

    async def _sweep(self) -> None:
        try:
            await self._look_after_runs()
        except LogError as error:
            logger.info("runs could not be looked after: %s", error)
        except Exception:
            logger.exception("looking after runs failed through a fault of ours")

    async def _look_after_runs(self) -> None:
        if self._has_lapsed:
            await self._running.fence_taken()
            self._has_lapsed = False
        if self._notes_readers:
            await self._note_readers()
            await self._running.cancel_abandoned()
        await self._lost.end_own()
        if self.takes_over:
            await self._lost.take_over_lapsed()

    async def _note_readers(self) -> None:
        if seen := self._readers.seen():
            await self._log.note_read(seen)
            self._readers.passed_on(seen)

    def _note_reachable(self, error: LogError | None) -> None:
        """Tell the operator when the log can't be used, and when it can again: once each."""
        if self._is_reachable and error is not None:
            logger.warning("the log can't be used now: %s", error)
        elif not self._is_reachable and error is None:
            logger.warning("the log can be used again")
        self._is_reachable = error is None
