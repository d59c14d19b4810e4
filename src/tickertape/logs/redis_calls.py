"""Calls of scripts that are repeated while Redis is away, until it has taken too long.

Every script can be repeated without harm, so a lost answer costs nothing but time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tickertape.core.errors import LogUnavailable
from tickertape.logs.redis_errors import TRANSIENT, unavailable
from tickertape.logs.redis_port import PortLost, PortRefused, RedisPort, Reply

FIRST_WAIT_S: Final = 0.02
LONGEST_WAIT_S: Final = 1.0


class RedisCalls:
    """The port, with patience."""

    def __init__(self, port: RedisPort, *, retry_for_s: float, random: Callable[[], float]) -> None:
        """`retry_for_s` counts from the first failure; the last try may take longer.

        `random` gives a number from 0 to 1.
        """
        self.retry_for_s = retry_for_s
        self.is_closed = False
        self._port = port
        self._random = random

    async def do(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes] = ()
    ) -> Reply:
        """Run the script and return its reply.

        Raises:
            LogUnavailable: it could not be run in time, or Redis refuses for good.
        """
        try:
            return await self._port.call(script, keys, arguments)
        except (PortLost, PortRefused) as error:
            return await self._again(script, keys, arguments, error)

    async def _again(
        self,
        script: str,
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
        error: PortLost | PortRefused,
    ) -> Reply:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self.retry_for_s
        wait_s = FIRST_WAIT_S
        while not self._is_hopeless(error) and loop.time() < give_up_s:
            # Never all processes at once.
            await asyncio.sleep(wait_s * (0.5 + self._random() / 2))
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            try:
                return await self._port.call(script, keys, arguments)
            except (PortLost, PortRefused) as again:
                error = again
        raise self.unavailable(error) from error

    def unavailable(self, error: PortLost | PortRefused) -> LogUnavailable:
        """Return what is raised for an error of the port."""
        return unavailable(error, self._port.place)

    def _is_hopeless(self, error: PortLost | PortRefused) -> bool:
        return self.is_closed or (isinstance(error, PortRefused) and error.code not in TRANSIENT)
