"""A reader's attempts to reach its server: how long to wait between them, and when to give up."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from tickertape.client.http import Interrupted
from tickertape.core.cursor import Cursor
from tickertape.core.errors import ConnectionLost
from tickertape.core.retry import Backoff

logger = logging.getLogger("tickertape.client")


class Attempts:
    """Waits between attempts, and gives up when there were too many in a row."""

    def __init__(self, backoff: Backoff, *, chance: Callable[[], float] = random.random) -> None:
        self._backoff = backoff
        self._chance = chance
        self._failures = 0
        self._interrupt = asyncio.Event()

    def succeeded(self) -> None:
        """Count from 0 again."""
        self._failures = 0

    def hurry(self) -> None:
        """End the wait that is under way."""
        self._interrupt.set()

    async def wait_after(self, error: Interrupted, *, run_id: str | None, cursor: Cursor) -> None:
        """Wait before the next attempt.

        Raises:
            ConnectionLost: there is no next one.
        """
        self._failures += 1
        wait_s = self._backoff.wait_s(
            self._failures, fraction=self._chance(), asked_s=error.asked_s
        )
        if wait_s is None:
            message = f"gave up after {self._failures} attempts: {error}"
            if run_id is not None:
                message += f"; the run may go on there: tail {run_id!r} after {cursor}"
            raise ConnectionLost(message, run_id=run_id, cursor=cursor) from error
        logger.info("%s; trying again in %.1f s", error, wait_s)
        self._interrupt.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._interrupt.wait()
        except TimeoutError:
            pass
