"""The network: what travels takes time, may be cut, and may be lost without a word.

Bytes of one connection stay in order; nothing else does. Knows no HTTP beyond a
head and a body, and no run.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final

from tests.simulation.loop import Owner, SimulationLoop
from tickertape.client.http import SILENCE_TIMEOUT_S, Interrupted

LOST_AFTER_S: Final = 20.0
"""When a server learns that the other end of a half-open connection is gone."""


class Network:
    """How long things take on their way; drawn anew for each."""

    def __init__(self, loop: SimulationLoop, random: Random, world: Owner) -> None:
        self.loop = loop
        self.random = random
        self.world = world
        self.slowness_s = random.choice([0.0005, 0.002, 0.02, 0.1])
        """About how long one way takes."""
        self.log_slowness_s = random.choice([None, None, 0.5])
        """The same of a log that is far away; None: it is as near as everything else."""
        self.cut_chance = random.choice([0.0, 0.2, 0.6])
        """How often what was written at once arrives in two pieces."""
        self.buffer_bytes = random.choice([50, 300, 65_536])
        """What a connection holds of what its reader has not read."""

    def delay_s(self) -> float:
        """Return how long the next thing takes."""
        draw = self.random.random()
        return self.slowness_s * (10 * draw if draw > 0.95 else 0.2 + draw)

    def log_delay_s(self) -> float:
        """Return how long the next thing takes on its way to the log, or back.

        Never so long that a lease runs out by itself.
        """
        if self.log_slowness_s is None:
            return self.delay_s()
        return self.log_slowness_s * (0.2 + self.random.random())

    def log_later(self, owner: Owner, callback: Callable[..., None], *args: object) -> None:
        """Call back when it has come from, or to, the log."""
        self.loop.call_later(self.log_delay_s(), callback, *args, context=owner.context)

    def later(self, owner: Owner, callback: Callable[..., None], *args: object) -> None:
        """Call back when it has arrived at its owner."""
        self.loop.call_later(self.delay_s(), callback, *args, context=owner.context)


class Connection:
    """One request and its reply, between a client (of the world) and a process."""

    def __init__(self, network: Network, process: Owner) -> None:
        self.process = process
        self.is_over = False
        """Nothing passes any more: it was closed, broke, or is half-open."""
        self.on_left: Callable[[], None] | None = None
        """What the server does when it learns that its reader has left."""
        self.has_left = False
        """The server knows that its reader has left."""
        self._network = network
        self._loop = network.loop
        self._arrived: deque[bytes] = deque()
        self._held_bytes = 0
        self._last_arrival_s = 0.0
        self._head: asyncio.Future[tuple[int, dict[str, str]]] = self._loop.create_future()
        self._ending: str | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    # The server's side.

    def send_head(self, status: int, headers: dict[str, str]) -> None:
        """Send status and headers."""
        self._send(self._take_head, status, headers)

    async def write(self, data: bytes) -> None:
        """Send a piece of the body; return when there is room for another."""
        if self.has_left:
            return
        cut = 0
        if len(data) > 1 and self._network.random.random() < self._network.cut_chance:
            cut = self._network.random.randrange(1, len(data))
        self._held_bytes += len(data)
        if cut:
            self._send(self._take, data[:cut])
        self._send(self._take, data[cut:])
        if self._held_bytes > self._network.buffer_bytes and not self.has_left:
            self._writer = self._loop.create_future()
            try:
                await self._writer
            finally:
                self._writer = None

    def end(self) -> None:
        """Send the end of file."""
        self._send(self._break, "")

    def reset(self, why: str = "the server broke the connection") -> None:
        """Break it, for both sides."""
        self._send(self._break, why)
        self._network.later(self.process, self._leave)

    # The client's side.

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return status and headers.

        Raises:
            Interrupted: the connection broke, or was silent for too long.
        """
        try:
            async with asyncio.timeout(SILENCE_TIMEOUT_S):
                return await self._head
        except TimeoutError:
            self.close()
            raise Interrupted("the server does not answer") from None

    async def read(self) -> bytes:
        """Return what has arrived; `b""` at the end of file.

        Raises:
            Interrupted: the connection broke, or was silent for too long.
        """
        if not self._arrived and self._ending is None:
            self._reader = self._loop.create_future()
            try:
                async with asyncio.timeout(SILENCE_TIMEOUT_S):
                    await self._reader
            except TimeoutError:
                self.close()
                raise Interrupted("the server fell silent") from None
            finally:
                self._reader = None
        if self._arrived:
            data = b"".join(self._arrived)
            self._arrived.clear()
            self._network.later(self.process, self._make_room, len(data))
            return data
        if self._ending:
            raise Interrupted(self._ending)
        return b""

    def close(self) -> None:
        """Leave. A `read` that waits ends."""
        if not self.is_over:
            self._network.later(self.process, self._leave)
        self._break("the reader has left")
        self._arrived.clear()
        self.is_over = True

    def lose(self) -> None:
        """Become half-open: nothing passes, and nobody is told."""
        self.is_over = True
        self._loop.call_later(LOST_AFTER_S, self._leave, context=self.process.context)

    # What arrives.

    def _send(self, take: Callable[..., None], *args: object) -> None:
        at_s = max(self._last_arrival_s, self._loop.time() + self._network.delay_s())
        self._last_arrival_s = at_s + 1e-9
        self._loop.call_at(at_s, self._pass, take, args, context=self._network.world.context)

    def _pass(self, take: Callable[..., None], args: tuple[object, ...]) -> None:
        if not self.is_over:
            take(*args)

    def _take_head(self, status: int, headers: dict[str, str]) -> None:
        if not self._head.done():
            self._head.set_result((status, headers))

    def _take(self, data: bytes) -> None:
        self._arrived.append(data)
        self._wake_reader()

    def _break(self, why: str) -> None:
        if self._ending is None:
            self._ending = why
        if not self._head.done():
            self._head.set_exception(Interrupted(why or "the server closed the connection"))
            self._head.exception()  # maybe nobody asks any more
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _make_room(self, size: int) -> None:
        self._held_bytes -= size
        if self._held_bytes <= self._network.buffer_bytes:
            self._wake_writer()

    def _leave(self) -> None:
        if not self.has_left:
            self.has_left = True
            self.is_over = True
            self._wake_writer()
            if self.on_left is not None:
                self.on_left()

    def _wake_writer(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)
