"""The connection on which all channels of one Redis are heard, however many listen.

It is made when the first channel is subscribed to, and made anew, with all that is
subscribed, when it was lost. A silent one is asked every few seconds whether it is
alive: half of a broken connection may look well for a very long time.

A channel with braces in its name belongs to a slot, and is heard where the slot is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tickertape.logs.redis.link import Address, Link, RedisError, pack, refused
from tickertape.logs.redis.port import PortListener, PortLost, PortRefused

logger = logging.getLogger("tickertape.logs")

FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 2.0


class RedisEar:
    """Hears channels, and tells the listener."""

    def __init__(
        self,
        where: Callable[[], Address],
        *,
        connect_timeout_s: float,
        silence_s: float,
        failed: Callable[[PortLost | PortRefused], bool] = lambda _: False,
        left: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        """After `silence_s` without a word it asks, and after as long again it gives up.

        `where` is asked before each attempt to connect. `failed` is told when that
        was in vain, and what Redis refused; True: go on. `left` is told of a channel
        that is heard here no more, since its slot has left.
        """
        self._where = where
        self._failed = failed
        self._left = left
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
        self._heard_channels: set[bytes] = set()
        self._is_out = False

    @property
    def channels(self) -> Sequence[bytes]:
        """Return what is subscribed to."""
        return tuple(self._channels)

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

    def drop(self, channel: bytes) -> None:
        """Forget a channel whose slot has left: Redis has, too."""
        self._channels.discard(channel)
        self._changes.pop(channel, None)

    def announce(self) -> None:
        """Tell the listener once more of all channels that are heard."""
        for channel in tuple(self._heard_channels):
            if self._listener is not None:
                self._listener.subscribed(channel)

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
        dropped = [channel for channel, is_wanted in changes.items() if not is_wanted]
        added = [channel for channel, is_wanted in changes.items() if is_wanted]
        self._link.send(_pack_each("UNSUBSCRIBE", dropped) + _pack_each("SUBSCRIBE", added))

    def _connect_soon(self) -> None:
        if self._connecting is None and self._channels:
            self._connecting = self._loop.create_task(self._connect(), name="redis: listen")

    async def _connect(self) -> None:
        while True:
            # Also after a connection that was made, and then refused every channel.
            await asyncio.sleep(self._wait_s)
            self._wait_s = min(max(self._wait_s * 2, FIRST_WAIT_S), LONGEST_WAIT_S)
            address = self._where()
            try:
                self._link = await Link.connect(
                    address,
                    heard=self._heard,
                    ended=self._ended,
                    timeout_s=self._connect_timeout_s,
                )
            except (PortLost, PortRefused) as error:
                self._note_out(error)
                self._failed(error)
            else:
                break
        self._connecting = None
        self._has_heard, self._has_asked = True, False
        self._changes = {}
        if self._channels:
            self._link.send(_pack_each("SUBSCRIBE", self._channels))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._silence_s, self._look)

    def _heard(self, reply: object) -> None:
        self._has_heard = True
        listener = self._listener
        if isinstance(reply, RedisError) and self._link is not None:
            error = refused(reply)
            if not self._failed(error):
                self._link.abort(f"it refused: {error}")
        if listener is None or not isinstance(reply, list):
            return
        match reply:
            case [b"smessage" | b"message", channel, payload]:
                listener.message(channel, payload)
            case [b"ssubscribe" | b"subscribe", channel, _]:
                self._wait_s = 0.0
                self._note_out(None)
                if channel in self._channels:
                    self._heard_channels.add(channel)
                    listener.subscribed(channel)
            case [b"sunsubscribe" | b"unsubscribe", channel, _]:
                self._heard_channels.discard(channel)
                if channel in self._channels:
                    self._left(channel)
            case _:
                pass  # the answer to PING

    def _ended(self, cause: str) -> None:
        self._link = None
        self._heard_channels.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            self._note_out(PortLost(f"the connection was lost: {cause}"))
            self._listener.lost()
            self._connect_soon()

    def _note_out(self, error: PortLost | PortRefused | None) -> None:
        """Tell the operator when nothing is heard, and when it is again: once each."""
        if error is not None and not self._is_out:
            logger.warning("wake-ups from Redis are not heard now: %s", error)
        elif error is None and self._is_out:
            logger.warning("wake-ups from Redis are heard again")
        self._is_out = error is not None

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


def _pack_each(word: str, channels: Iterable[bytes]) -> bytes:
    """Return a command for each slot's channel, since they may be of many; one for all others."""
    plain = [channel for channel in channels if b"{" not in channel]
    packed = [pack((f"S{word}", channel)) for channel in channels if b"{" in channel]
    return b"".join([pack((word, *plain)), *packed] if plain else packed)
