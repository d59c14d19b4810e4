"""The proxy of a storm: in front of all servers, and cuts connections at random bytes.

Knows bytes only, not what they say. A connection's fate is drawn when it comes,
so that it falls on any byte of requests and answers alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Literal, Self, TypeAlias

from msgspec import Struct

Cut: TypeAlias = Literal[
    "reset",  # with a TCP reset: what is on its way is lost
    "closed",  # as if the server had said all
    "half_open",  # nothing passes any more, and nobody is told; a reset comes much later
]

_CUTS: Final[tuple[Cut, ...]] = ("reset", "closed", "reset", "closed", "half_open")
_LONGEST_ANSWER_BYTES: Final = 20_000
_READ_BYTES: Final = 65_536
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


class Fate(Struct, frozen=True):
    """What becomes of one connection."""

    cut: Cut
    after_bytes: int
    """Bytes of the answer that still pass."""
    silent_s: float
    """For how long it is half open, if so."""


def draw_fate(chance: Random, *, share: float) -> Fate | None:
    """Return a fate for this share of all connections; None: it is left alone."""
    if chance.random() >= share:
        return None
    # Small numbers as often as large ones: many cuts inside headers, and in the first block.
    after_bytes = int(_LONGEST_ANSWER_BYTES ** chance.random()) - 1
    return Fate(chance.choice(_CUTS), after_bytes, chance.uniform(0.5, 3.0))


class Proxy:
    """Forwards to the servers in turn, leaving out those that don't listen."""

    def __init__(
        self,
        ports: Sequence[int],
        *,
        chance: Random,
        share: float = 0.6,
        spoil: Callable[[bytes], bytes] = bytes,
    ) -> None:
        """`share` of all connections are cut. `spoil` sees every piece of an answer."""
        self.counts: Counter[str] = Counter()
        self.share = share
        self._ports = ports
        self._chance = chance
        self._spoil = spoil
        self._next = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not left to asyncio: on Python 3.11 it does not end the tasks that it starts.
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        fate = draw_fate(self._chance, share=self.share)
        behind = await self._connect()
        try:
            if behind is None:
                self.counts["nobody there"] += 1
                _reset(writer)
            else:
                await self._relay((reader, writer), behind, fate)
        finally:
            writers = (writer, behind[1]) if behind is not None else (writer,)
            for each in writers:
                each.close()
            await asyncio.gather(*(_closed(each) for each in writers))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._next)
        for turn in range(len(self._ports)):
            port = self._ports[(first + turn) % len(self._ports)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _relay(
        self,
        front: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        behind: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        fate: Fate | None,
    ) -> None:
        asking = asyncio.ensure_future(_copy(front[0], behind[1]))
        answering = asyncio.ensure_future(self._answer(behind[0], front[1], fate))
        try:
            await asyncio.wait((asking, answering), return_when=asyncio.FIRST_COMPLETED)
            if answering.done() and not answering.result():
                _reset(front[1])
        finally:
            await _end(asking, answering)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: Fate | None
    ) -> bool:
        """Copy until the end, or the fate; tell whether the client sees a proper close."""
        left = fate.after_bytes if fate is not None else None
        try:
            while left is None or left > 0:
                piece = await reader.read(_READ_BYTES if left is None else min(left, _READ_BYTES))
                if not piece:
                    return True
                writer.write(self._spoil(piece))
                await writer.drain()
                left = None if left is None else left - len(piece)
            assert fate is not None
            # The request has arrived and is being answered, even where no byte of it may pass.
            await reader.read(1)
        except OSError:
            return False
        self.counts[fate.cut] += 1
        if fate.cut == "half_open":
            await asyncio.sleep(fate.silent_s)
        return fate.cut == "closed"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_READ_BYTES):
            writer.write(piece)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and not writer.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        writer.transport.abort()


async def _closed(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _end(*tasks: asyncio.Future[bool] | asyncio.Future[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
