"""The Redis log's port to a real Redis, or to a cluster of them: it finds out which.

Makes the connections, and sees at the start whether that Redis will do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from tickertape.logs.redis.cluster import RedisCluster
from tickertape.logs.redis.commands import Command, script
from tickertape.logs.redis.ear import RedisEar
from tickertape.logs.redis.ears import Failed
from tickertape.logs.redis.errors import at_open, version_error, volatile_warning
from tickertape.logs.redis.link import Address, pack, read_url
from tickertape.logs.redis.node import RedisNode, Refused
from tickertape.logs.redis.port import PortListener, PortLost, PortRefused, Reply

logger = logging.getLogger("tickertape.logs")


class RedisConnection:
    """A `RedisPort` to one Redis or Valkey, or to one cluster."""

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
        self._ear = self._make_ear(lambda: self._address)
        self._loop: asyncio.AbstractEventLoop
        self._node: RedisNode | None = None
        self._cluster: RedisCluster | None = None

    async def open(self, listener: PortListener) -> None:
        """See `RedisPort.open`."""
        self._loop = asyncio.get_running_loop()
        self._node = self._make_node(self._address)
        try:
            await self._node.connect()
            about = await self._info(self._node)
            if error := version_error(about, self.place):
                raise error
            if warning := volatile_warning(about, self.place):
                logger.warning("%s", warning)
            if about.get("redis_mode", "cluster") == "cluster":
                await self._open_cluster(listener, is_certain="redis_mode" in about)
        except (PortLost, PortRefused) as error:
            await self.close()
            raise at_open(error, self.place) from error
        except BaseException:
            await self.close()
            raise
        if self._cluster is None:
            self._ear.open(listener)

    def call(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> asyncio.Future[Reply]:
        """See `RedisPort.call`."""
        command = script(self._loop.create_future(), name, keys, arguments)
        if self._cluster is not None:
            return self._cluster.put(command)
        assert self._node is not None
        return self._node.put(command)

    def subscribe(self, channel: bytes) -> None:
        """See `RedisPort.subscribe`."""
        (self._cluster or self._ear).subscribe(channel)

    def unsubscribe(self, channel: bytes) -> None:
        """See `RedisPort.unsubscribe`."""
        (self._cluster or self._ear).unsubscribe(channel)

    async def close(self) -> None:
        """See `RedisPort.close`."""
        await self._ear.close()
        if self._node is not None:
            await self._node.close()
        if self._cluster is not None:
            await self._cluster.close()

    async def _open_cluster(self, listener: PortListener, *, is_certain: bool) -> None:
        """Go on with a cluster, if it is one."""
        cluster = RedisCluster(self._address, make_node=self._make_node, make_ear=self._make_ear)
        try:
            await cluster.open(listener)
        except PortRefused:
            await cluster.close()
            if is_certain:
                raise
            return
        self._cluster = cluster
        for channel in self._ear.channels:
            cluster.subscribe(channel)
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

    def _make_node(
        self,
        address: Address,
        refused: Refused = lambda *_: False,
        lost: Callable[[], None] = lambda: None,
    ) -> RedisNode:
        return RedisNode(
            address,
            connect_timeout_s=self._connect_timeout_s,
            answer_timeout_s=self._answer_timeout_s,
            refused=refused,
            lost=lost,
        )

    def _make_ear(
        self,
        where: Callable[[], Address],
        failed: Failed = lambda _: False,
        left: Callable[[bytes], None] = lambda _: None,
    ) -> RedisEar:
        return RedisEar(
            where,
            connect_timeout_s=self._connect_timeout_s,
            silence_s=self._answer_timeout_s,
            failed=failed,
            left=left,
        )
