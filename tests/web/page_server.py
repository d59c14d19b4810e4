"""A scripted server for the chat page's tests: the native wire, on command.

Knows the page's files and the wire's form. Runs no model: a test decides what a
run says, when, and at which byte a connection breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

PAGE = Path(__file__).parents[2] / "src" / "tickertape" / "web" / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the next connection to a run ends: after so many bytes of its body."""

    after_bytes: int
    is_clean: bool = False
    """A proper end of the body, in place of a broken connection."""


@dataclass
class Asked:
    """One request that the page made."""

    method: str
    path: str
    after: str | None
    key: str | None
    body: dict[str, object]


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
        self._grown = asyncio.Event()
        self._connections: list[web.Request] = []
        self.emit({"run_id": run_id, "model": "parrot", "provider": "test", "created_at": 0.0})

    def emit(self, payload: dict[str, object]) -> None:
        """Append one payload."""
        text = json.dumps(payload, ensure_ascii=False)
        self.blocks.append(f"id: {len(self.blocks)}{self.epoch}\ndata: {text}\n\n".encode())
        self._wake()

    def say(self, text: str) -> None:
        """Append text of the answer."""
        self.text += text
        self.emit({"content": text})

    def end(self, outcome: str = "completed", **fields: object) -> None:
        """Append the end; `length` is right unless given."""
        payload: dict[str, object] = {"outcome": outcome, "length": len(self.text)}
        if outcome == "completed":
            payload["finish_reason"] = "stop"
        self.is_closed = True
        self.emit(payload | fields)
        self.blocks[-1] += b"data: [DONE]\n\n"

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

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

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
        try:
            await self._write(request, response, after + 1, cut)
        except ConnectionResetError:
            pass  # the page left, or the test broke the connection
        finally:
            self._connections.remove(request)
        return response

    async def _write(
        self, request: web.Request, response: web.StreamResponse, offset: int, cut: Cut | None
    ) -> None:
        sent = 0
        await response.write(b": hb\n")
        while True:
            grown = self._grown
            body = b"".join(self.blocks[offset:])
            offset = len(self.blocks)
            if cut is not None and sent + len(body) >= cut.after_bytes:
                await response.write(body[: cut.after_bytes - sent] or b": hb\n")
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
    assert transport is not None
    if is_reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


@dataclass
class PageServer:
    """The page's files, and runs that do what a test says."""

    url: str = ""
    runs: list[Run] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    refusals: deque[web.Response] = field(default_factory=deque)
    """Answers to the next requests about runs, in place of the right ones."""
    loses_next_answer: bool = False
    """The next POST creates its run, and then its connection is reset."""
    headers_gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Clear it to hold back the headers of answers to POST."""
    script: Callable[[Run], None] | None = None
    """Called with each new run before it is served."""
    _keys: dict[str, Run] = field(default_factory=dict)
    _progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    def posts(self) -> list[Asked]:
        """Return the requests to start a run."""
        return [asked for asked in self.asked if asked.method == "POST"]

    async def until(self, condition: Callable[[PageServer], bool]) -> None:
        """Wait until the requests so far fulfil the condition."""
        async with self._progress:
            await asyncio.wait_for(self._progress.wait_for(lambda: condition(self)), 10)

    async def run(self, number: int = 0) -> Run:
        """Return the run with this number, once it exists."""
        await self.until(lambda server: len(server.runs) > number)
        return self.runs[number]

    async def _note(self, request: web.Request) -> None:
        body = await request.json() if request.method == "POST" else {}
        key = request.headers.get("Idempotency-Key")
        self.asked.append(
            Asked(request.method, request.path, request.query.get("after"), key, body)
        )

    async def _notify(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    async def _start(self, request: web.Request) -> web.StreamResponse:
        await self._note(request)
        if self.refusals:
            await self._notify()
            return self.refusals.popleft()
        key = self.asked[-1].key
        assert key is not None
        if key not in self._keys:
            run = self._keys[key] = Run(f"run-{len(self.runs)}")
            self.runs.append(run)
            if self.script is not None:
                self.script(run)
        await self._notify()
        if self.loses_next_answer:
            self.loses_next_answer = False
            break_off(request, is_reset=True)
            return web.Response()
        await self.headers_gate.wait()
        return await self._keys[key].serve(request, after=-1)

    async def _tail(self, request: web.Request) -> web.StreamResponse:
        await self._note(request)
        await self._notify()
        if self.refusals:
            return self.refusals.popleft()
        run = next((run for run in self.runs if run.run_id == request.match_info["run_id"]), None)
        if run is None:
            return refusal(404, "unknown_run", "there is no such run")
        return await run.serve(
            request, after=int(request.query.get("after", "-1").partition(".")[0])
        )

    async def _cancel(self, request: web.Request) -> web.Response:
        await self._note(request)
        next(run for run in self.runs if run.run_id == request.match_info["run_id"]).cancel()
        await self._notify()
        return web.json_response({})

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"models": ["test/parrot"], "default": "test/parrot"})

    async def _file(self, request: web.Request) -> web.FileResponse:
        name = request.match_info["name"] or "index.html"
        return web.FileResponse(PAGE / name, headers={"Content-Security-Policy": POLICY})


def refusal(status: int, code: str, message: str, **headers: str) -> web.Response:
    """Return an error in the wire's form."""
    error = {"code": code, "message": message, "param": None}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response({"error": error}, status=status, headers=sent)


@contextlib.asynccontextmanager
async def serve_page() -> AsyncIterator[PageServer]:
    """Serve on a free loopback port."""
    server = PageServer()
    server.headers_gate.set()
    app = web.Application()
    app.add_routes(
        [
            web.post("/chat/stream", server._start),
            web.get("/chat/stream/{run_id}", server._tail),
            web.delete("/chat/stream/{run_id}", server._cancel),
            web.get("/models", server._models),
            web.get("/{name:[a-z._]*}", server._file),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield server
    finally:
        server.headers_gate.set()
        for run in server.runs:
            run.abandon()
        await runner.cleanup()
