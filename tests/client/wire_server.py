"""A server that answers each request with the bytes that a test gave it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tickertape.core.cursor import parse_cursor
from tickertape.core.events import ChoiceFinished, Event, RunEnded, RunStarted, TextDelta, Timings
from tickertape.core.record import Record
from tickertape.wires.native import encode

EVENTS = "text/event-stream; charset=utf-8"


@dataclass
class Reply:
    """What one request gets."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": EVENTS})
    ending: str = "close"
    """`close` ends the body, `reset` breaks the connection, `hold` says nothing more."""


@dataclass
class Request:
    """What one request was."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class WireServer:
    """Use as `async with`. A reply may be a function of the request."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.requests = []
        self.left = asyncio.Event()
        """A client has left a connection that was held."""
        self._writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def methods(self):
        return [request.method for request in self.requests]

    async def _serve(self, reader, writer):
        self._writers.append(writer)
        request = await self._read(reader)
        self.requests.append(request)
        reply = self.replies.pop(0)
        if callable(reply):
            reply = reply(request)
        if reply is not None:
            head = [f"HTTP/1.1 {reply.status} X", "Connection: close"]
            head += [f"{name}: {value}" for name, value in reply.headers.items()]
            writer.write("\r\n".join([*head, "", ""]).encode() + reply.body)
            await writer.drain()
        if reply is None or reply.ending == "reset":
            writer.transport.abort()
        elif reply.ending == "hold":
            await reader.read()
            self.left.set()
        writer.close()

    async def _read(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = b""
        if "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        return Request(method, path, headers, body)


def records_of(*texts, outcome="completed", length=None, **fields):
    """Return the records of a whole run with these texts."""
    events: list[Event] = [
        RunStarted(run_id="r1", model="m", provider="p", created_at=0.0),
        *[TextDelta(text) for text in texts],
        ChoiceFinished(finish_reason="stop", raw_finish_reason="stop"),
        RunEnded(
            outcome=outcome,
            length=sum(map(len, texts)) if length is None else length,
            timings=Timings(first_progress_s=0.0, duration_s=0.0),
            finish_reason="stop",
            **fields,
        ),
    ]
    return [Record(offset, event, 1, 0.0) for offset, event in enumerate(events)]


def after(records, request):
    """Return the bytes of the records that a request wants."""
    cursor = parse_cursor(request.headers.get("last-event-id", "-1"))
    return encode([record for record in records if record.offset > cursor.offset])
