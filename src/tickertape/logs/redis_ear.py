"""The connection on which all channels of this process are heard, however many listen.

It is made when the first channel is subscribed to, and made anew, with all that is
subscribed, when it was lost. A silent one is asked every few seconds whether it is
alive: half of a broken connection may look well for a very long time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from tickertape.logs.redis_link import Address, Link, RedisError, pack
from tickertape.logs.redis_port import PortListener, PortLost, PortRefused

logger = logging.getLogger("tickertape.logs")

FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 2.0


class RedisEar:
    """Hears channels, and tells the listener."""

    def __init__(self, address: Address, *, connect_timeout_s: float, silence_s: float) -> None:
        """After `silence_s` without a word it asks, and after as long again it gives up."""
        self._address = address
        self._connect_timeout_s = connect_timeout_s
        self._silence_s = silence_s
        self._channels: set[bytes] = set()
        self._listener: PortListener | None = None
        self._loop: asyncio.AbstractEventLoop
        self._link: Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._has_heard = True
        self._has_asked = False
        self._wait_s = 0.0
        self._changes: dict[bytes, bool] = {}

    def open(self, listener: PortListener) -> None:
        """Begin; what was subscribed to so far counts."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        if self._channels:
            self._connect_soon()

    def subscribe(self, channel: bytes) -> None:
        """See `RedisPort.subscribe`."""
        self._channels.add(channel)
        self._change(channel, is_wanted=True)

    def unsubscribe(self, channel: bytes) -> None:
        """See `RedisPort.unsubscribe`."""
        self._channels.discard(channel)
        self._change(channel, is_wanted=False)

    async def close(self) -> None:
        """Hang up. Safe to repeat."""
        self._listener = None
        self._channels.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._link is not None:
            await self._link.hang_up()

    def _change(self, channel: bytes, *, is_wanted: bool) -> None:
        if self._listener is None:
            return
        if self._link is None:
            self._connect_soon()
            return
        if not self._changes:
            self._loop.call_soon(self._send_changes)
        # Never merged into nothing: who subscribes again wants to be told again.
        self._changes[channel] = is_wanted

    def _send_changes(self) -> None:
        changes, self._changes = self._changes, {}
        if self._link is None:
            return
        added = [channel for channel, is_wanted in changes.items() if is_wanted]
        dropped = [channel for channel, is_wanted in changes.items() if not is_wanted]
        if dropped:
            self._link.send(pack(("UNSUBSCRIBE", *dropped)))
        if added:
            self._link.send(pack(("SUBSCRIBE", *added)))

    def _connect_soon(self) -> None:
        if self._connecting is None and self._channels:
            self._connecting = self._loop.create_task(self._connect(), name="redis: listen")

    async def _connect(self) -> None:
        while True:
            # Also after a connection that was made, and then refused every channel.
            await asyncio.sleep(self._wait_s)
            self._wait_s = min(max(self._wait_s * 2, FIRST_WAIT_S), LONGEST_WAIT_S)
            try:
                self._link = await Link.connect(
                    self._address,
                    heard=self._heard,
                    ended=self._ended,
                    timeout_s=self._connect_timeout_s,
                )
            except (PortLost, PortRefused) as error:
                logger.warning("wake-ups from Redis: %s", error)
            else:
                break
        self._connecting = None
        self._has_heard, self._has_asked = True, False
        self._changes = {}
        if self._channels:
            self._link.send(pack(("SUBSCRIBE", *self._channels)))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._silence_s, self._look)

    def _heard(self, reply: object) -> None:
        self._has_heard = True
        listener = self._listener
        if isinstance(reply, RedisError) and self._link is not None:
            self._link.abort(f"it refused: {reply}")
        if listener is None or not isinstance(reply, list):
            return
        if reply[0] == b"message":
            listener.message(reply[1], reply[2])
        elif reply[0] == b"subscribe":
            self._wait_s = 0.0
            if reply[1] in self._channels:
                listener.subscribed(reply[1])

    def _ended(self, cause: str) -> None:
        self._link = None
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            logger.warning(
                "the connection for wake-ups from %s was lost: %s", self._address.place, cause
            )
            self._listener.lost()
            self._connect_soon()

    def _look(self) -> None:
        if self._link is None:
            return
        self._timer = self._loop.call_later(self._silence_s, self._look)
        if self._has_heard:
            self._has_heard, self._has_asked = False, False
        elif not self._has_asked:
            self._link.send(pack(("PING",)))
            self._has_asked = True
        else:
            self._link.abort(f"no word within {self._silence_s:g} s")
