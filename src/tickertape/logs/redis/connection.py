"""The Redis log's port to a real Redis: one connection for calls, one for channels.

Makes them, and sees at the start whether that Redis will do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from tickertape.logs.redis.commands import Command, script
from tickertape.logs.redis.ear import RedisEar
from tickertape.logs.redis.errors import at_open, version_error, volatile_warning
from tickertape.logs.redis.link import pack, read_url
from tickertape.logs.redis.node import RedisNode
from tickertape.logs.redis.port import PortListener, PortLost, PortRefused, Reply

logger = logging.getLogger("tickertape.logs")


class RedisConnection:
    """A `RedisPort` to one Redis or Valkey."""

    def __init__(
        self, url: str, *, connect_timeout_s: float = 3.0, answer_timeout_s: float = 5.0
    ) -> None:
        """Raise `ConfigurationError` where the URL names no Redis.

        A Redis that gives no answer for `answer_timeout_s` counts as lost.
        """
        self._address = read_url(url)
        self.place: str = self._address.place
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._ear = RedisEar(
            self._address, connect_timeout_s=connect_timeout_s, silence_s=answer_timeout_s
        )
        self._loop: asyncio.AbstractEventLoop
        self._node: RedisNode | None = None

    async def open(self, listener: PortListener) -> None:
        """See `RedisPort.open`."""
        self._loop = asyncio.get_running_loop()
        self._node = RedisNode(
            self._address,
            connect_timeout_s=self._connect_timeout_s,
            answer_timeout_s=self._answer_timeout_s,
        )
        try:
            await self._node.connect()
            about = await self._info(self._node)
            if error := version_error(about, self.place):
                raise error
            if warning := volatile_warning(about, self.place):
                logger.warning("%s", warning)
        except (PortLost, PortRefused) as error:
            await self.close()
            raise at_open(error, self.place) from error
        except BaseException:
            await self.close()
            raise
        self._ear.open(listener)

    def call(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> asyncio.Future[Reply]:
        """See `RedisPort.call`."""
        assert self._node is not None
        return self._node.put(script(self._loop.create_future(), name, keys, arguments))

    def subscribe(self, channel: bytes) -> None:
        """See `RedisPort.subscribe`."""
        self._ear.subscribe(channel)

    def unsubscribe(self, channel: bytes) -> None:
        """See `RedisPort.unsubscribe`."""
        self._ear.unsubscribe(channel)

    async def close(self) -> None:
        """See `RedisPort.close`."""
        await self._ear.close()
        if self._node is not None:
            await self._node.close()

    async def _info(self, node: RedisNode) -> dict[str, str]:
        """Return what Redis says of itself; nothing, where that is forbidden to us."""
        try:
            text = await node.put(Command(self._loop.create_future(), pack(("INFO",))))
        except PortRefused as error:
            if error.code != "NOPERM":
                raise
            return {}
        lines = [line.partition(":") for line in bytes(text).decode(errors="replace").splitlines()]
        return {name: value for name, colon, value in lines if colon}
