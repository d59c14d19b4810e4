"""A client without any library between the test and the bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from tickertape.testing.fault_server import FaultServer

CHAT = "/v1/chat/completions"
ANSWER_TIMEOUT_S = 10


class RawClient:
    """One connection."""

    def __init__(
        self, server: FaultServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    @property
    def transport(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self.writer.transport)

    def send(self, method: str, path: str, *, headers=None, body: bytes = b"") -> None:
        given = {
            "host": "test",
            "authorization": f"Bearer {self.server.api_key}",
            "content-length": str(len(body)),
            **(headers or {}),
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in given.items())]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def ask(self, path: str = CHAT, *, headers=None, **fields) -> None:
        """Ask for a stream."""
        asked = {"model": "m", "messages": [], "prompt": "", "input": "", "stream": True}
        self.send("POST", path, headers=headers, body=json.dumps(asked | fields).encode())

    async def read_until(self, end: bytes) -> bytes:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await self.reader.readuntil(end)

    async def read_to_end(self) -> bytes:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await self.reader.read()

    async def read_to_reset(self) -> bytes:
        """Return what came before the reset; fail when there is none."""
        got = b""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while True:
                try:
                    data = await self.reader.read(65536)
                except ConnectionResetError:
                    return got
                assert data, "an end of file, not a reset"
                got += data

    async def hang_up(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):  # the server was first
            await self.writer.wait_closed()


@asynccontextmanager
async def connected(server: FaultServer, **options) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, **options)
    client = RawClient(server, reader, writer)
    try:
        yield client
    finally:
        await client.hang_up()


async def answer(server: FaultServer, path: str = CHAT, *, headers=None, **fields) -> bytes:
    """Ask on a connection of its own and return every byte until its end."""
    async with connected(server) as client:
        client.ask(path, headers={"connection": "close", **(headers or {})}, **fields)
        return await client.read_to_end()


async def call(server: FaultServer, method: str, path: str, *, headers=None, body=b""):
    """Return the status and the decoded JSON of one call."""
    async with connected(server) as client:
        client.send(method, path, headers={"connection": "close", **(headers or {})}, body=body)
        head, data = split(await client.read_to_end())
    return int(head.split()[1]), json.loads(data)


def split(raw: bytes) -> tuple[bytes, bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return head, body


def http_chunks(body: bytes) -> list[bytes]:
    """Return the HTTP chunks of a body; the last one is empty when it ends as it should."""
    chunks = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        chunks.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]
    return chunks


def text_of(raw: bytes) -> bytes:
    """Return the body of a chunked response, joined."""
    return b"".join(http_chunks(split(raw)[1]))


def events(body: bytes) -> list[Any]:
    """Return the decoded `data` of each event, in a well-formed body with LF."""
    blocks = [block for block in body.split(b"\n\n") if block]
    data = [block.split(b"data: ", 1)[1] for block in blocks]
    return [entry.decode() if entry == b"[DONE]" else json.loads(entry) for entry in data]


class ManualSleep:
    """A `sleep` whose sleepers wake when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._ticks = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self._ticks.acquire()

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self._ticks.release()


class NoSleep:
    """A `sleep` that takes no time, and remembers."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(0)
