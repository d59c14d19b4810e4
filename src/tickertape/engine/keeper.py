"""The keeper: keeps this process's lease, and looks after what others left.

One task renews the lease every third of its term, in one call for all runs. Each time
it starts a sweep, unless one is going on still: so renewing never waits for
thousands of runs to be taken over. What a sweep does is the engine's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from tickertape.core.errors import ConfigurationError, LogError
from tickertape.logs.base import EventLog

logger = logging.getLogger("tickertape.engine")

RENEWALS_PER_TERM: Final = 3
"""Two renewals may fail before the lease runs out."""

RELEASE_TIMEOUT_S: Final = 2.0
"""How long giving the lease back may take: without it, others wait until it runs out."""


class Keeper:
    """One engine's lease. `start` it, and `stop` it in every case."""

    def __init__(
        self,
        log: EventLog,
        *,
        holder: str,
        term_s: float,
        sweep: Callable[[], Awaitable[None]],
    ) -> None:
        """Make a keeper for the holder. `sweep` is awaited after each renewal.

        Raises:
            ConfigurationError: the term is no time.
        """
        if not term_s > 0:
            raise ConfigurationError(f"lease_term_s must be more than 0, not {term_s!r}")
        self.holder: Final = holder
        self.has_lapsed = False
        """The lease had run out once: others may have taken over runs of ours. Reset it."""
        self._log = log
        self._term_s = term_s
        self._sweep = sweep
        self._expires_at_s: float | None = None
        """On the event loop's clock, so at the latest; None before the first renewal."""
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

    def sweep_soon(self) -> None:
        """Sweep now; where a sweep is going on, once more after it."""
        if self._is_stopped:
            return
        if self._sweeping is not None:
            self._sweeps_again = True
            return
        self._sweeping = asyncio.get_running_loop().create_task(self._run_sweep(), name="sweep")
        self._sweeping.add_done_callback(self._swept)

    async def stop(self) -> None:
        """Stop both tasks. The lease goes on until it is released, or runs out."""
        self._is_stopped = True
        tasks = [task for task in (self._keeping, self._sweeping) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def release(self) -> None:
        """Give the lease back, so that others take over at once what is left. Never raises."""
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._log.release(self.holder)
        except (LogError, TimeoutError) as error:
            logger.warning("the lease could not be released, and runs out by itself: %s", error)

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
            self.sweep_soon()
            await asyncio.sleep(self._term_s / RENEWALS_PER_TERM)

    async def _renew(self) -> None:
        asked_at_s = asyncio.get_running_loop().time()
        expires_at_s = self._expires_at_s
        was_held = await self._log.renew(self.holder, term_s=self._term_s)
        if expires_at_s is not None and not (was_held and asked_at_s < expires_at_s):
            self.has_lapsed = True
        self._expires_at_s = asked_at_s + self._term_s

    async def _run_sweep(self) -> None:
        try:
            await self._sweep()
        except LogError as error:
            self._note_reachable(error)
        except Exception:
            logger.exception("looking after runs failed through a fault of ours")

    def _swept(self, _task: asyncio.Task[None]) -> None:
        self._sweeping = None
        if self._sweeps_again:
            self._sweeps_again = False
            self.sweep_soon()

    def _note_reachable(self, error: LogError | None) -> None:
        """Tell the operator when the log can't be reached, and when it can again: once each."""
        if self._is_reachable and error is not None:
            logger.warning("the log can't be used now: %s", error)
        elif not self._is_reachable and error is None:
            logger.warning("the log can be used again")
        self._is_reachable = error is None
