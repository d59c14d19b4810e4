"""A server that plays byte scripts: what a test says, on a real socket, and nothing else.

Each connection plays the next script. A script is a coroutine that takes the
`Exchange`; it reads requests and writes bytes as it likes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import msgspec

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED_HEAD = STREAM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE_HEAD = STREAM_HEAD + b"Connection: close\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Request(msgspec.Struct):
    """A request as it came in."""

    line: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self):
        return msgspec.json.decode(self.body)


class Exchange:
    """One connection, seen from the server."""

    def __init__(
        self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def request(self) -> Request:
        """Read one request and keep it."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in fields)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(line, headers, body)
        self.server.requests.append(request)
        return request

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def closed_by_client(self) -> None:
        """Wait until the client has closed its side, or reset the connection."""
        try:
            while await self.reader.read(65_536):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        """Break the connection: the client sees a reset, not an end of file."""
        import socket
        import struct

        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]


def answer(data: bytes) -> Script:
    """Return a script: read one request, send these bytes, close."""

    async def play(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(data)

    return play


def response(status: str, body: bytes, *headers: str) -> bytes:
    """Return a whole response with a body of known length."""
    fields = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunk(data: bytes) -> bytes:
    """Return one chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ScriptedServer:
    """Serves on a free loopback port; `async with`. The last script serves again and again."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.failures: list[BaseException] = []
        self._scripts: Sequence[Script] = scripts
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if error is None and self.failures:
            raise self.failures[0]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        script = self._scripts[min(self.connections, len(self._scripts)) - 1]
        task = asyncio.create_task(self._play(script, Exchange(self, reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _play(self, script: Script, exchange: Exchange) -> None:
        try:
            await script(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client left; its test says whether it should have
        except Exception as error:  # noqa: BLE001
            self.failures.append(error)
        finally:
            exchange.writer.close()
