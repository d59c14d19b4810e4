"""Redis at the other end of a network: the port of one process, over the model.

Calls run in the order in which they were made, as on one connection, except where it
was lost in between: a call that hung then may run when its caller has long called
again. Messages of channels are lost with the connection that hears them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tests.simulation.log_link import HANGS_ON_S, NOTICED_AFTER_S, Cut, Journal
from tests.simulation.loop import Owner
from tests.simulation.network import Network
from tests.simulation.redis_data import WrongOrder
from tests.simulation.redis_model import RedisModel
from tests.simulation.trace import Trace
from tickertape.logs.redis_port import PortListener, PortLost, PortRefused, Reply

_IN_ORDER_S: Final = 1e-9


class RedisServer:
    """One Redis, and who is connected to it."""

    def __init__(self, model: RedisModel, journal: Journal) -> None:
        self.model = model
        self.is_down = False
        self.ports: list[SimulatedPort] = []
        self._journal = journal

    def stop(self) -> None:
        """Go down: every connection breaks."""
        self.is_down = True
        for port in self.ports:
            port.lose_channels()

    def start(self, *, forgets_s: float) -> None:
        """Come up again, with or without what was written in the last moments."""
        if not self.is_down:
            return
        self.model.restart(forgets_ms=int(forgets_s * 1000))
        self.is_down = False
        for port in self.ports:
            port.hear_again()

    def run(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes], at_s: float
    ) -> Reply:
        """Run a script, and send what it publishes."""
        reply = self.model.run(script, keys, arguments)
        if reply[0] in {b"ok", b"new"}:
            self._note(script, keys, arguments, reply, at_s)
        for channel, message in self.model.take_published():
            for port in self.ports:
                port.publish(channel, message)
        return reply

    def _note(
        self,
        script: str,
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
        reply: Reply,
        at_s: float,
    ) -> None:
        run_id = keys[0].partition(b"{")[2].rstrip(b"}").decode()
        match script:
            case "cancel":
                self._journal.cancelled_at_s.setdefault(run_id, at_s)
            case "take_over":
                self._journal.taken_over_at_s[run_id] = at_s
            case "create":
                self._journal.stored(run_id, 0, 1, at_s)
            case "append":
                self._journal.stored(run_id, int(arguments[1]), reply[1], at_s)
            case _:
                pass


class SimulatedPort:
    """A `RedisPort` that reaches the model through the network."""

    place = "redis://simulated"

    def __init__(self, server: RedisServer, owner: Owner, network: Network, trace: Trace) -> None:
        self.cut: Cut | None = None
        self._server = server
        self._owner = owner
        self._network = network
        self._trace = trace
        self._loop = network.loop
        self._listener: PortListener | None = None
        # A dict, for its order; True once Redis knows that it is heard.
        self._channels: dict[bytes, bool] = {}
        self._hanging: list[Callable[[], None]] = []
        self._last_s = {"there": 0.0, "back": 0.0, "message": 0.0}
        server.ports.append(self)

    def cut_off(self, how: Cut) -> None:
        """Lose calls from now on, and hear nothing."""
        self.cut = how
        self.lose_channels()

    def mend(self) -> None:
        """Let calls through again, the ones that hung some time later, and hear again."""
        self.cut = None
        for arrive in self._hanging:
            wait_s = self._network.random.random() * HANGS_ON_S
            self._loop.call_later(wait_s, arrive, context=self._network.world.context)
        self._hanging.clear()
        self.hear_again()

    async def open(self, listener: PortListener) -> None:
        """See `RedisPort.open`."""
        await asyncio.sleep(self._network.log_delay_s())
        self._listener = listener
        for channel in self._channels:
            self._subscribe_soon(channel)

    def call(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> asyncio.Future[Reply]:
        """See `RedisPort.call`."""
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._in_order(
            "there",
            self._network.world,
            self._arrive,
            script,
            tuple(keys),
            tuple(arguments),
            answer,
        )
        return answer

    def subscribe(self, channel: bytes) -> None:
        """See `RedisPort.subscribe`."""
        self._channels[channel] = False
        if self._listener is not None:
            self._subscribe_soon(channel)

    def unsubscribe(self, channel: bytes) -> None:
        """See `RedisPort.unsubscribe`."""
        self._channels.pop(channel, None)

    async def close(self) -> None:
        """See `RedisPort.close`."""
        self._listener = None
        self._channels.clear()
        if self in self._server.ports:
            self._server.ports.remove(self)

    def publish(self, channel: bytes, message: bytes) -> None:
        """Send a message on its way, if it is heard."""
        if self._channels.get(channel) and self._is_connected():
            self._in_order("message", self._owner, self._hear, channel, message)

    def lose_channels(self) -> None:
        """Break the connection that hears channels."""
        if any(self._channels.values()):
            self._channels = dict.fromkeys(self._channels, False)
            self._in_order("message", self._owner, self._tell_lost)

    def hear_again(self) -> None:
        """Connect again for channels."""
        for channel in self._channels:
            self._subscribe_soon(channel)

    def _is_connected(self) -> bool:
        return self.cut is None and not self._server.is_down

    def _arrive(
        self,
        script: str,
        keys: tuple[bytes, ...],
        arguments: tuple[bytes, ...],
        answer: asyncio.Future[Reply],
    ) -> None:
        if self._server.is_down or self.cut in {"requests", "hanging"}:
            if self.cut == "hanging" and not self._server.is_down:
                self._hanging.append(lambda: self._arrive(script, keys, arguments, answer))
            self._trace.note(self._owner.name, f"redis: {script} {keys[0]!r} … lost")
            self._lose(answer)
            return
        try:
            reply = self._server.run(script, keys, arguments, self._loop.time())
        except WrongOrder as error:
            reply = [b"refused", str(error)]
        self._trace.note(self._owner.name, f"redis: {script} {keys[0]!r} {arguments} → {reply}")
        self._in_order("back", self._owner, self._answer, answer, reply)

    def _answer(self, answer: asyncio.Future[Reply], reply: Reply) -> None:
        if answer.done():
            return
        if not self._is_connected():
            self._lose(answer)
        elif reply[0] == b"refused":
            answer.set_exception(PortRefused("ERR", reply[1]))
        else:
            answer.set_result(reply)

    def _lose(self, answer: asyncio.Future[Reply]) -> None:
        def lose() -> None:
            if not answer.done():
                answer.set_exception(PortLost("the connection to Redis broke"))

        wait_s = self._network.random.random() * NOTICED_AFTER_S
        self._loop.call_later(wait_s, lose, context=self._owner.context)

    def _subscribe_soon(self, channel: bytes) -> None:
        self._network.log_later(self._network.world, self._subscribed, channel)

    def _subscribed(self, channel: bytes) -> None:
        if self._channels.get(channel) is False and self._is_connected():
            self._channels[channel] = True
            self._in_order("message", self._owner, self._tell_subscribed, channel)

    def _tell_subscribed(self, channel: bytes) -> None:
        if self._listener is not None and self._channels.get(channel):
            self._trace.note(self._owner.name, f"redis: hears {channel!r}")
            self._listener.subscribed(channel)

    def _tell_lost(self) -> None:
        if self._listener is not None:
            self._trace.note(self._owner.name, "redis: hears nothing")
            self._listener.lost()

    def _hear(self, channel: bytes, message: bytes) -> None:
        # What was on its way when the connection broke is lost with it.
        if self._listener is not None and self._channels.get(channel):
            self._listener.message(channel, message)

    def _in_order(
        self, way: str, owner: Owner, callback: Callable[..., None], *args: object
    ) -> None:
        at_s = max(self._last_s[way] + _IN_ORDER_S, self._loop.time() + self._network.log_delay_s())
        self._last_s[way] = at_s
        self._loop.call_at(at_s, callback, *args, context=owner.context)
