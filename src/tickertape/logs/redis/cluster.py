"""A Redis Cluster: which node serves which slot, and calls that go there.

The nodes themselves say so, at the start and whenever one of them sends a call
elsewhere or is lost. A call that is sent elsewhere goes there at once; one to a
node that is lost is repeated by the log, until the slots have a new one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from tickertape.logs.redis.commands import Command
from tickertape.logs.redis.ear import RedisEar
from tickertape.logs.redis.ears import Failed, RedisEars
from tickertape.logs.redis.link import Address, key_slot, pack
from tickertape.logs.redis.node import RedisNode, Refused
from tickertape.logs.redis.port import PortListener, PortLost, PortRefused

logger = logging.getLogger("tickertape.logs")

SLOTS: Final = 16_384
MOST_MOVES: Final = 5
"""How often one call is sent elsewhere; then the log is to wait, and repeat it."""
REFRESH_GAP_S: Final = 0.1
LONGEST_GAP_S: Final = 2.0


class RedisCluster:
    """The nodes of one cluster, as far as they serve slots."""

    def __init__(
        self,
        seed: Address,
        *,
        make_node: Callable[[Address, Refused, Callable[[], None]], RedisNode],
        make_ear: Callable[[Callable[[], Address], Failed, Callable[[bytes], None]], RedisEar],
    ) -> None:
        """Any node is asked for the others at first: the `seed`."""
        self._seed = seed
        self._make_node = make_node
        self._make_ear = make_ear
        self._loop = asyncio.get_running_loop()
        self._nodes: dict[Address, RedisNode] = {}
        self._owners: list[Address | None] = [None] * SLOTS
        self._ears: RedisEars
        self._refreshing: asyncio.Task[None] | None = None
        self._is_due = False
        self._is_closed = False

    async def open(self, listener: PortListener) -> None:
        """Learn of the nodes.

        Raises:
            PortLost, PortRefused: the seed does not say.
        """
        self._ears = RedisEars(
            listener,
            owner=self._owner,
            anywhere=self._anywhere,
            failed=self._ear_failed,
            lost=self._refresh_soon,
            make_ear=self._make_ear,
        )
        self._learn(await self._ask(self._seed), self._seed)
        await self._let_go()

    def put(self, command: Command) -> asyncio.Future[Any]:
        """Make the call, at the node that has its key's slot; return its future."""
        owner = self._owner(command.key)
        if owner is None:
            self._refresh_soon()
            command.future.set_exception(
                PortRefused("CLUSTERDOWN", "CLUSTERDOWN Hash slot not served")
            )
            return command.future
        return self._node(owner).put(command)

    def subscribe(self, channel: bytes) -> None:
        """See `RedisPort.subscribe`."""
        self._ears.subscribe(channel)

    def unsubscribe(self, channel: bytes) -> None:
        """See `RedisPort.unsubscribe`."""
        self._ears.unsubscribe(channel)

    async def close(self) -> None:
        """Hang up everywhere. Safe to repeat."""
        self._is_closed = True
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])
        await self._ears.close_all()
        for node in self._nodes.values():
            await node.close()

    def _owner(self, key: bytes) -> Address | None:
        return self._owners[key_slot(key)]

    def _anywhere(self, number: int) -> Address:
        """Return each of the nodes in turn."""
        places = list(dict.fromkeys(filter(None, self._owners))) or [self._seed]
        return places[number % len(places)]

    def _node(self, address: Address) -> RedisNode:
        node = self._nodes.get(address)
        if node is None:
            node = self._make_node(address, self._refused, self._refresh_soon)
            self._nodes[address] = node
        return node

    def _refused(self, node: RedisNode, command: Command, error: PortRefused) -> bool:
        """Send a call on that another node is to answer."""
        place = self._place(error, node.address)
        if place is None:
            return False
        command.moves += 1
        slot, address = place
        command.ask(error.code == "ASK")
        if error.code == "MOVED":
            self._owners[slot] = address
            self._refresh_soon()
        if command.moves > MOST_MOVES:
            return False
        self._node(address).put(command)
        return True

    def _ear_failed(self, error: PortLost | PortRefused) -> bool:
        self._refresh_soon()
        if isinstance(error, PortLost) or error.code not in {"MOVED", "ASK"}:
            return False
        if place := self._place(error, self._seed):
            slot, address = place
            self._owners[slot] = address
            # At once: who is asked now may not know of it yet.
            self._ears.rehome()
        return True

    def _place(self, error: PortRefused, asked: Address) -> tuple[int, Address] | None:
        """Return the slot and the node that a redirection names."""
        if error.code not in {"MOVED", "ASK"}:
            return None
        _, slot, place = str(error).split(" ")[:3]
        host, _, port = place.rpartition(":")
        return int(slot), self._address(host, int(port), asked)

    def _address(self, host: str, port: int, asked: Address) -> Address:
        """Return where a node is; who does not say is where we asked."""
        host = asked.host if host in {"", "?"} else host
        name = f"[{host}]" if ":" in host else host
        scheme = "redis" if asked.tls is None else "rediss"
        return replace(
            self._seed, host=host, port=port, path=None, place=f"{scheme}://{name}:{port}"
        )

    def _refresh_soon(self) -> None:
        """Ask again which node serves what, soon, until all that we need has one."""
        self._is_due = True
        if self._refreshing is None and not self._is_closed:
            self._refreshing = self._loop.create_task(self._refresh(), name="redis: slots")

    async def _refresh(self) -> None:
        gap_s = REFRESH_GAP_S
        try:
            while self._is_due:
                self._is_due = False
                is_whole = await self._ask_all() and self._ears.rehome()
                await self._let_go()
                await asyncio.sleep(gap_s)
                if not is_whole:
                    self._is_due = True
                    gap_s = min(gap_s * 2, LONGEST_GAP_S)
        finally:
            self._refreshing = None

    async def _ask_all(self) -> bool:
        """Learn which node serves what from the first that says it; return if one did."""
        known = sorted(self._nodes.values(), key=lambda node: not node.is_connected)
        for address in dict.fromkeys((*(node.address for node in known), self._seed)):
            try:
                slots = await self._ask(address)
            except (PortLost, PortRefused) as error:
                logger.info("%s does not say which slots there are: %s", address.place, error)
            else:
                if self._learn(slots, address):
                    return True
        return False

    async def _ask(self, address: Address) -> Sequence[Any]:
        command = Command(self._loop.create_future(), pack(("CLUSTER", "SLOTS")))
        slots: Sequence[Any] = await self._node(address).put(command)
        return slots

    def _learn(self, slots: Sequence[Any], asked: Address) -> bool:
        owners: list[Address | None] = [None] * SLOTS
        for first, last, (host, port, *_), *_ in slots:
            address = self._address((host or b"").decode(), port, asked)
            owners[first : last + 1] = [address] * (last + 1 - first)
        if slots:
            self._owners = owners
        return bool(slots)

    async def _let_go(self) -> None:
        """Hang up on nodes that serve nothing any more."""
        serving = {one for one in self._owners if one is not None}
        for address, node in tuple(self._nodes.items()):
            if address not in serving and node.is_idle:
                del self._nodes[address]
                await node.close()
        await self._ears.close(kept=serving)
