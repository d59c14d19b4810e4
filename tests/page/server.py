"""A scripted server for the page's tests: the page's files, and the native wire on command.

Knows the routes. Runs no model: a test decides what a run says, when, and at
which byte a connection breaks (`run.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.page.run import Run, break_off
from tickertape.web.page_files import PAGE_FOLDER, page_headers

MODELS = ["test/parrot", "test/crow"]


@dataclass
class Asked:
    """One request that the page made about runs."""

    method: str
    path: str
    after: str | None
    """The cursor, from the query or the header."""
    key: str | None
    body: dict[str, object]


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
    actions: list[dict[str, str]] = field(default_factory=list)
    """What the menu that breaks things offers; none: there is no such menu."""
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
        self.asked.append(
            Asked(
                method=request.method,
                path=request.path,
                after=request.query.get("after", request.headers.get("Last-Event-ID")),
                key=request.headers.get("Idempotency-Key"),
                body=await request.json() if request.method == "POST" else {},
            )
        )

    async def _notify(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    def _find(self, request: web.Request) -> Run | None:
        run_id = request.match_info["run_id"]
        return next((run for run in self.runs if run.run_id == run_id), None)

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
        run = self._find(request)
        if run is None:
            return refusal(404, "unknown_run", "there is no such run")
        cursor = self.asked[-1].after or "-1"
        return await run.serve(request, after=int(cursor.partition(".")[0]))

    async def _cancel(self, request: web.Request) -> web.Response:
        await self._note(request)
        run = self._find(request)
        if run is not None:
            run.cancel()
        await self._notify()
        return web.json_response({})

    async def _models(self, request: web.Request) -> web.Response:
        offered: dict[str, object] = {"models": MODELS, "default": MODELS[0]}
        if self.actions:
            offered["has_faults"] = True
        return web.json_response(offered)

    async def _faults(self, request: web.Request) -> web.Response:
        if not self.actions:
            return refusal(404, "not_found", "there is nothing here")
        return web.json_response({"actions": self.actions})

    async def _break(self, request: web.Request) -> web.Response:
        await self._note(request)
        await self._notify()
        for run in self.runs:
            run.cut_now()
        return web.json_response({"said": "Done."})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"] or "index.html"
        path = PAGE_FOLDER / name
        if not path.is_file():
            return refusal(404, "not_found", "there is nothing here")
        return web.FileResponse(path, headers=page_headers(name))


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
    app = web.Application(client_max_size=64 * 2**20)
    app.add_routes(
        [
            web.post("/chat/stream", server._start),
            web.get("/chat/stream/{run_id}", server._tail),
            web.delete("/chat/stream/{run_id}", server._cancel),
            web.get("/models", server._models),
            web.get("/faults", server._faults),
            web.post("/faults/{action}", server._break),
            web.get("/{name:[^.].*|}", server._file),
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
