"""The channels of a cluster: each is heard at the node that has its slot.

So a message takes no way that could lose it unnoticed: not from node to node. When a
slot moves, its channels follow; when a node is lost, all are compared with what
Redis has, as they would be with one Redis. The channels without a slot are heard
at any node: losing a message of theirs is no harm.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container
from typing import TypeAlias

from tickertape.logs.redis.ear import RedisEar
from tickertape.logs.redis.link import Address
from tickertape.logs.redis.port import PortListener, PortLost, PortRefused

Failed: TypeAlias = "Callable[[PortLost | PortRefused], bool]"


class RedisEars:
    """An ear at each node where something is heard; the `PortListener` of them all."""

    def __init__(
        self,
        listener: PortListener,
        *,
        owner: Callable[[bytes], Address | None],
        anywhere: Callable[[int], Address],
        failed: Failed,
        lost: Callable[[], None],
        make_ear: Callable[[Callable[[], Address], Failed, Callable[[bytes], None]], RedisEar],
    ) -> None:
        """`owner` gives the node that has a channel's slot; `anywhere` one for each number.

        `failed` is told of what an ear could not do, and returns True if it can go on;
        `lost` of each lost connection, and of each channel that has no node: `rehome`
        is to follow.
        """
        self._listener = listener
        self._owner = owner
        self._anywhere = anywhere
        self._failed = failed
        self._lost = lost
        self._make_ear = make_ear
        self._ears: dict[Address, RedisEar] = {}
        self._homes: dict[bytes, Address | None] = {}
        numbers = itertools.count()
        self._everywhere = self._open_ear(lambda: self._anywhere(next(numbers)))
        self.message = listener.message
        """See `PortListener.message`."""

    def subscribe(self, channel: bytes) -> None:
        """See `RedisPort.subscribe`."""
        if b"{" not in channel:
            self._everywhere.subscribe(channel)
        elif home := self._homes.get(channel):
            self._ears[home].subscribe(channel)
        else:
            self._homes[channel] = None
            self._house(channel)

    def unsubscribe(self, channel: bytes) -> None:
        """See `RedisPort.unsubscribe`."""
        if b"{" not in channel:
            self._everywhere.unsubscribe(channel)
        elif home := self._homes.pop(channel, None):
            self._ears[home].unsubscribe(channel)

    def rehome(self) -> bool:
        """Move channels to where their slots are now; return whether all have a node."""
        for channel, home in tuple(self._homes.items()):
            owner = self._owner(channel)
            if home is None or (owner is not None and owner != home):
                if home is not None:
                    self._ears[home].drop(channel)
                self._homes[channel] = None
                self._house(channel)
        return all(self._homes.values())

    async def close(self, kept: Container[Address] = ()) -> None:
        """Close the ears where nothing is heard, except at these; all, once nothing is."""
        used = {home for home in self._homes.values() if home is not None}
        for address in [one for one in self._ears if one not in kept and one not in used]:
            await self._ears.pop(address).close()

    async def close_all(self) -> None:
        """Hang up everywhere. Safe to repeat."""
        self._homes.clear()
        await self._everywhere.close()
        await self.close()

    def subscribed(self, channel: bytes) -> None:
        """See `PortListener.subscribed`."""
        if b"{" not in channel or channel in self._homes:
            self._listener.subscribed(channel)

    def lost(self) -> None:
        """See `PortListener.lost`: to the listener it is as if all had been."""
        self._listener.lost()
        for ear in (self._everywhere, *self._ears.values()):
            ear.announce()
        self._lost()

    def _house(self, channel: bytes) -> None:
        owner = self._owner(channel)
        if owner is None:
            self._lost()
            return
        if owner not in self._ears:
            self._ears[owner] = self._open_ear(lambda: owner)
        self._homes[channel] = owner
        self._ears[owner].subscribe(channel)

    def _left(self, channel: bytes) -> None:
        home = self._homes.get(channel)
        if home is not None:
            self._ears[home].drop(channel)
            self._homes[channel] = None
            self._lost()

    def _open_ear(self, where: Callable[[], Address]) -> RedisEar:
        ear = self._make_ear(where, self._failed, self._left)
        ear.open(self)
        return ear
