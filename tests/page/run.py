"""One answer of the scripted server: a run whose blocks, cuts and end a test writes.

Knows the wire's form and how to break a connection. Knows no page and no route.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from dataclasses import dataclass

from aiohttp import web

HEARTBEAT = b": hb\n"
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the next connection to a run ends: after so many bytes of its body."""

    after_bytes: int
    is_clean: bool = False
    """A proper end of the body, in place of a broken connection."""


class Run:
    """One answer, as a log that a test writes."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.blocks: list[bytes] = []
        self.is_closed = False
        self.text = ""
        self.epoch = ""
        """What follows the offset in an id: `.2` after a take over."""
        self.cuts: deque[Cut] = deque()
        self.is_cancelled = False
        self.holds_cancel = False
        self.readers = 0
        """How many connections are open to it now."""
        self._grown = asyncio.Event()
        self._read = asyncio.Condition()
        self._connections: list[web.Request] = []
        self.emit({"run_id": run_id, "model": "parrot", "provider": "test", "created_at": 0.0})

    def emit(self, payload: dict[str, object]) -> None:
        """Append one payload."""
        text = json.dumps(payload, ensure_ascii=False)
        self.blocks.append(f"id: {len(self.blocks)}{self.epoch}\ndata: {text}\n\n".encode())
        self._wake()

    def say(self, *texts: str) -> None:
        """Append texts of the answer, a block each."""
        for text in texts:
            self.text += text
            self.emit({"content": text})

    def end(self, outcome: str = "completed", **fields: object) -> None:
        """Append the end; `length` is right unless given."""
        payload: dict[str, object] = {"outcome": outcome, "length": len(self.text)}
        if outcome == "completed":
            payload["finish_reason"] = "stop"
        self.is_closed = True
        self.emit(payload | fields)
        self.blocks[-1] += DONE

    def lose_text(self) -> None:
        """Lose all but the start; what comes now is another process's."""
        del self.blocks[1:]
        self.text, self.epoch = "", ".2"

    def cancel(self) -> None:
        """Do as a stop asks."""
        self.is_cancelled = True
        if not self.is_closed and not self.holds_cancel:
            self.end("cancelled", cancelled_by="user")

    def cut_now(self) -> None:
        """Break every connection to the run."""
        for request in list(self._connections):
            break_off(request)

    def abandon(self) -> None:
        """Let go of every connection; the run says nothing more."""
        self.is_closed = True
        self._wake()

    async def until_read_by(self, readers: int) -> None:
        """Wait until so many connections read it, no more and no fewer."""
        async with self._read:
            await asyncio.wait_for(self._read.wait_for(lambda: self.readers == readers), 10)

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    async def _count(self, change: int) -> None:
        async with self._read:
            self.readers += change
            self._read.notify_all()

    async def serve(self, request: web.Request, *, after: int) -> web.StreamResponse:
        """Answer with the blocks after the cursor, until the end or a cut."""
        if self.is_closed and after == len(self.blocks) - 1:
            return web.Response(status=204)
        cut = self.cuts.popleft() if self.cuts else None
        response = web.StreamResponse(headers={"Location": f"/chat/stream/{self.run_id}"})
        response.content_type = "text/event-stream"
        response.enable_chunked_encoding()
        await response.prepare(request)
        self._connections.append(request)
        await self._count(+1)
        try:
            await self._write(request, response, after + 1, cut)
        except ConnectionResetError:
            pass  # the page left, or the test broke the connection
        finally:
            self._connections.remove(request)
            await self._count(-1)
        return response

    async def _write(
        self, request: web.Request, response: web.StreamResponse, offset: int, cut: Cut | None
    ) -> None:
        sent = 0
        await response.write(HEARTBEAT)
        while True:
            grown = self._grown
            body = b"".join(self.blocks[offset:])
            offset = len(self.blocks)
            if cut is not None and sent + len(body) >= cut.after_bytes:
                await response.write(body[: cut.after_bytes - sent] or HEARTBEAT)
                return None if cut.is_clean else break_off(request)
            if body:
                await response.write(body)
                sent += len(body)
            if self.is_closed:
                return None
            await grown.wait()


def break_off(request: web.Request, *, is_reset: bool = False) -> None:
    """End the connection without the end of the body; with a reset, if asked to."""
    transport = request.transport
    if transport is None:
        return  # it has gone by itself
    if is_reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
