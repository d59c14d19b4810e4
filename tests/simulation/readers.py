"""Readers: the real Python reader, and one that knows no more than `EventSource` does.

Each keeps what it was given, to be held against the log afterwards: after each block,
its cursor and how much text it has. They live in the world outside the processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Final

import msgspec

from tests.simulation.network import Connection
from tests.simulation.process import Request, Server
from tests.simulation.trace import Trace
from tickertape.client.attempts import Attempts
from tickertape.client.http import Interrupted, ServerReply, ServerSession
from tickertape.client.reader import Reader
from tickertape.core.cursor import AT_BEGINNING
from tickertape.core.errors import ProtocolError, TickertapeError
from tickertape.core.events import RunEnded, RunStarted, TextDelta
from tickertape.core.retry import Backoff
from tickertape.core.sse import SseDecoder
from tickertape.wires.native import DONE, decode_payload

PATIENT: Final = Backoff(first_s=0.3, longest_s=3, max_retries=200)
RECONNECT_S: Final = 1.0
"""How long an `EventSource` waits before it connects again."""


@dataclass(slots=True)
class Reading:
    """What one reader was given."""

    name: str
    start: str
    """Which start it reads the run of."""
    run_id: str | None = None
    text: str = ""
    steps: list[tuple[str, int]] = field(default_factory=list)
    """After each block with a text: its id, and how long the text was with it."""
    ended: RunEnded | None = None
    is_over: bool = False
    seen_at_s: float = 0.0
    """When its last block came."""
    has_left: bool = False
    """It left of its own will, before the end."""
    error: TickertapeError | None = None
    """Why it gave up."""


class SimulatedReply(ServerReply):
    """A reply that comes over a simulated connection."""

    def __init__(self, connection: Connection, status: int, headers: Mapping[str, str]) -> None:
        self._response = SimpleNamespace(url="http://simulated")  # type: ignore[assignment]
        self._connection = connection
        self.status = status
        self.headers = headers

    async def read(self) -> bytes:
        """See `ServerReply.read`."""
        return await self._connection.read()

    def close(self) -> None:
        """See `ServerReply.close`."""
        self._connection.close()


class SimulatedSession(ServerSession):
    """Requests to whichever server a load balancer picks."""

    def __init__(self, servers: list[Server], random: Random) -> None:
        super().__init__("http://simulated")
        self._servers = servers
        self._random = random

    async def open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> ServerReply:
        """See `ServerSession.open`."""
        server = self._random.choice(self._servers)
        connection = server.call(Request(method, path, dict(headers or {}), body or b""))
        try:
            status, answered = await connection.head()
        except BaseException:
            connection.close()
            raise
        reply = SimulatedReply(connection, status, answered)
        if status >= 300:
            try:
                await self._refuse(reply, path)
            finally:
                reply.close()
        return reply


@dataclass(frozen=True, slots=True)
class Habits:
    """How a reader reads."""

    pause_chance: float = 0.0
    """How often it stops reading for a while."""
    pause_s: float = 0.0
    leaves_after_s: float | None = None


class Readers:
    """What readers share: the servers, and somebody to tell."""

    def __init__(
        self,
        servers: list[Server],
        random: Random,
        trace: Trace,
        on_block: Callable[[Reading, str], None],
    ) -> None:
        self.session = SimulatedSession(servers, random)
        self.random = random
        self.trace = trace
        self.on_block = on_block
        """Called with each block's id before its text counts: P3 is checked there and then."""


async def read_as_client(
    readers: Readers,
    reading: Reading,
    habits: Habits,
    *,
    start: tuple[Mapping[str, str], bytes] | None,
) -> None:
    """Read with the real reader: the run that `start` starts, or `reading.run_id`."""
    attempts = Attempts(PATIENT, chance=readers.random.random)
    reader = Reader(
        readers.session,
        attempts=attempts,
        run_id=None if start else reading.run_id,
        start=start,
    )
    try:
        async with asyncio.timeout(habits.leaves_after_s):
            while reading.ended is None:
                for event in await reader.next():
                    if type(event) is TextDelta:
                        reading.text += event.text
                    elif type(event) is RunEnded:
                        reading.ended = event
                reading.run_id = reader.run_id
                _note(readers, reading, str(reader.cursor))
                await _pause(readers, habits)
    except TimeoutError:
        reading.has_left = True
    except TickertapeError as error:
        reading.error = error
    finally:
        reader.close()
        reading.run_id = reader.run_id or reading.run_id
        reading.is_over = True
        readers.trace.note(reading.name, f"is over: {_result(reading)}")


async def read_as_event_source(readers: Readers, reading: Reading, habits: Habits) -> None:
    """Read as a browser does: keep the last id, connect again with it, stop at 204."""
    last_id = ""
    try:
        async with asyncio.timeout(habits.leaves_after_s):
            while reading.ended is None:
                try:
                    last_id = await _read_blocks(readers, reading, habits, last_id)
                except Interrupted:
                    await asyncio.sleep(RECONNECT_S)
                last_id = reading.steps[-1][0] if reading.steps else ""
    except TimeoutError:
        reading.has_left = True
    except TickertapeError as error:
        reading.error = error
    finally:
        reading.is_over = True
        readers.trace.note(reading.name, f"is over: {_result(reading)}")


async def _read_blocks(readers: Readers, reading: Reading, habits: Habits, last_id: str) -> str:
    """Read one connection to its end.

    Raises:
        Interrupted: it broke, or ended without an outcome.
    """
    headers = {"Last-Event-ID": last_id} if last_id else {}
    reply = await readers.session.open("GET", f"/chat/stream/{reading.run_id}", headers=headers)
    try:
        if reply.status == 204:
            raise ProtocolError("204, and no outcome was seen")
        decoder = SseDecoder()
        while chunk := await reply.read():
            for block in decoder.feed(chunk):
                if block.data == DONE:
                    continue
                event = decode_payload(block.data)
                if type(event) is TextDelta:
                    reading.text += event.text
                elif type(event) is RunStarted and (
                    reading.steps or event.run_id != reading.run_id
                ):
                    raise ProtocolError("the run starts in the middle")
                elif type(event) is RunEnded:
                    reading.ended = event
                _note(readers, reading, block.id)
                if reading.ended is not None:
                    return block.id
            await _pause(readers, habits)
    finally:
        reply.close()
    raise Interrupted("the end of file came first")


def _note(readers: Readers, reading: Reading, block_id: str) -> None:
    if not reading.steps or reading.steps[-1] != (block_id, len(reading.text)):
        readers.trace.note(reading.name, f"has {block_id}, {len(reading.text)} characters")
        readers.on_block(reading, block_id)
        reading.steps.append((block_id, len(reading.text)))
        reading.seen_at_s = asyncio.get_running_loop().time()


async def _pause(readers: Readers, habits: Habits) -> None:
    if habits.pause_chance and readers.random.random() < habits.pause_chance:
        await asyncio.sleep(habits.pause_s)


def _result(reading: Reading) -> str:
    if reading.ended is not None:
        return f"{reading.ended.outcome}, {len(reading.text)} characters"
    return "left" if reading.has_left else f"{type(reading.error).__name__}: {reading.error}"


async def cancel_run(readers: Readers, run_id: str) -> None:
    """Cancel a run; return when a server has acknowledged it.

    Raises:
        TickertapeError: it could not be.
    """
    attempts = Attempts(PATIENT, chance=readers.random.random)
    while True:
        try:
            (await readers.session.open("DELETE", f"/chat/stream/{run_id}")).close()
        except Interrupted as error:
            await attempts.wait_after(error, run_id=run_id, cursor=AT_BEGINNING)
        else:
            return


def start_of(model: str, key: str) -> tuple[Mapping[str, str], bytes]:
    """Return headers and body of the request that starts a run."""
    body = {"messages": [{"role": "user", "content": "Hi"}], "model": model}
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return headers, msgspec.json.encode(body)
