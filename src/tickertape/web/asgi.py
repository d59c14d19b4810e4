"""The ASGI application: Starlette routes, and replies written with raw sends.

The only file that imports Starlette; `fastapi` reuses its replies.
One write for each batch: no task, queue or generator stands between a feed and
the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from tickertape.core.errors import TickertapeError
from tickertape.web.breakage import BreakableHandlers
from tickertape.web.handlers import AnyReply, Call, Handlers, body_too_large
from tickertape.web.page_files import HOW_TO_BUILD, PAGE_FOLDER, is_page_built, page_headers
from tickertape.web.replies import Reply, StreamReply, refuse
from tickertape.wires.native import NativeFeed

Authenticate: TypeAlias = Callable[[Request], Awaitable[str | None]]
"""Returns who calls. Refuses with Starlette's `HTTPException` (401 or 403)."""


def create_app(
    open_handlers: Callable[[], AbstractAsyncContextManager[Handlers]],
    *,
    authenticate: Authenticate | None = None,
    page_folder: Path | None = PAGE_FOLDER,
    faults: bool = False,
) -> Router:
    """Return the application of `tickertape serve`: the routes, also under `/api`, and the page.

    `open_handlers` is entered at start-up and left at shutdown. Without a
    `page_folder` there is no page. With `faults` the routes that break things
    are there, too; its handlers must then be `BreakableHandlers`.
    """
    slot = HandlersSlot()

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        async with open_handlers() as slot.handlers:
            yield

    def all_routes() -> list[BaseRoute]:
        return [
            *_routes(slot, authenticate),
            *(_fault_routes(slot, authenticate) if faults else ()),
        ]

    routes = all_routes()
    routes.append(Mount("/api", routes=all_routes()))
    if page_folder is not None:
        is_built = is_page_built(page_folder)
        routes.append(
            Mount("/", app=_Page(page_folder)) if is_built else Route("/", _Endpoint(GET=_no_page))
        )
    return Router(routes, default=_not_found, lifespan=lifespan)


class HandlersSlot:
    """Where the handlers are while the application runs: routes exist before and after them."""

    handlers: Handlers


def _routes(slot: HandlersSlot, authenticate: Authenticate | None) -> list[BaseRoute]:
    async def owner(request: Request) -> str | None:
        return await authenticate(request) if authenticate else None

    async def start(request: Request) -> Response:
        return await start_run(slot.handlers, request, owner=await owner(request))

    async def tail(request: Request) -> Response:
        call = call_of(request, owner=await owner(request))
        return response_of(await slot.handlers.tail_run(call, request.path_params["run_id"]))

    async def cancel(request: Request) -> Response:
        call = call_of(request, owner=await owner(request))
        return response_of(await slot.handlers.cancel_run(call, request.path_params["run_id"]))

    async def models(request: Request) -> Response:
        await owner(request)
        return response_of(await slot.handlers.list_models())

    async def alive(request: Request) -> Response:
        return response_of(await slot.handlers.is_alive())

    async def ready(request: Request) -> Response:
        return response_of(await slot.handlers.is_ready())

    return [
        Route("/chat/stream", _Endpoint(POST=start)),
        Route("/chat/stream/{run_id}", _Endpoint(GET=tail, DELETE=cancel)),
        Route("/models", _Endpoint(GET=models)),
        Route("/healthz", _Endpoint(GET=alive)),
        Route("/readyz", _Endpoint(GET=ready)),
    ]


def _fault_routes(slot: HandlersSlot, authenticate: Authenticate | None) -> list[BaseRoute]:
    def handlers() -> BreakableHandlers:
        assert isinstance(slot.handlers, BreakableHandlers), "create_app says what it needs"
        return slot.handlers

    async def owner(request: Request) -> str | None:
        return await authenticate(request) if authenticate else None

    async def list_faults(request: Request) -> Response:
        await owner(request)
        return response_of(await handlers().list_faults())

    async def do_fault(request: Request) -> Response:
        body = await _body(handlers(), request)
        if not isinstance(body, bytes):
            return body
        call = call_of(request, owner=await owner(request), body=body)
        return response_of(await handlers().do_fault(call, request.path_params["action"]))

    return [
        Route("/faults", _Endpoint(GET=list_faults)),
        Route("/faults/{action}", _Endpoint(POST=do_fault)),
    ]


class _Endpoint:
    """One path's methods, as an ASGI application of its own.

    Starlette's `Starlette`, and a route to a function, put a frame each around
    `send`, for exceptions; every write of a stream would pay for them.
    """

    def __init__(self, **methods: Callable[[Request], Awaitable[Response]]) -> None:
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._methods.get(scope["method"])
        if answer is None:
            allow = {"allow": ", ".join(self._methods)}
            refusal = refuse(405, "method_not_allowed", "not with this method", headers=allow)
            response = response_of(refusal)
        else:
            try:
                response = await answer(Request(scope, receive))
            except HTTPException as error:
                headers = dict(error.headers or {})
                response = response_of(
                    refuse(error.status_code, "refused", error.detail, headers=headers)
                )
        await response(scope, receive, send)


async def _no_page(request: Request) -> Response:
    return response_of(refuse(503, "page_not_built", HOW_TO_BUILD))


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await response_of(refuse(404, "not_found", "there is nothing here"))(scope, receive, send)


async def start_run(handlers: Handlers, request: Request, *, owner: str | None) -> Response:
    """Read the body, up to the limit, and start a run."""
    body = await _body(handlers, request)
    if not isinstance(body, bytes):
        return body
    return response_of(await handlers.start_run(call_of(request, owner=owner, body=body)))


async def _body(handlers: Handlers, request: Request) -> bytes | Response:
    """Return the body; a refusal where it is too large, or broke off."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > handlers.limits.max_body_bytes:
                return response_of(body_too_large(handlers.limits))
    except ClientDisconnect:
        return Response(status_code=400)
    return bytes(body)


def call_of(request: Request, *, owner: str | None, body: bytes = b"") -> Call:
    """Return the request as a value that the handlers understand."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Call(request.url.path, headers, dict(request.query_params), body, owner)


def response_of(reply: AnyReply) -> Response:
    """Return a response that writes the reply."""
    match reply:
        case Reply():
            return Response(reply.body, reply.status, reply.headers)
        case StreamReply():
            return FeedResponse(reply)


class FeedResponse(Response):
    """Writes a feed: headers at once, then one send for each batch."""

    def __init__(self, reply: StreamReply) -> None:
        super().__init__(None, reply.status, reply.headers)
        # Its length is not known before the run has ended.
        self.raw_headers = [each for each in self.raw_headers if each[0] != b"content-length"]
        self._feed = reply.feed
        self._note = reply.note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the feed ends, breaks off, or the reader leaves. None stops the run."""
        feed = self._feed
        leaving = asyncio.create_task(_close_when_left(receive, feed))
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            self.raw_headers = []  # sent, and nobody's now, however long this reader stays
            # A task, so that a wake-up does not pass through every middleware's frame.
            await asyncio.create_task(_write(feed, send))
            if not leaving.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TickertapeError as error:
            # Left unfinished, for which a server breaks off the connection: the reader resumes.
            self._note(error)
        finally:
            feed.close()
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)


async def _write(feed: NativeFeed, send: Send) -> None:
    while block := await feed.next():
        await send({"type": "http.response.body", "body": block, "more_body": True})
        del block  # it may be large, and the reader may now wait for long


async def _close_when_left(receive: Receive, feed: NativeFeed) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    feed.close()


class _Page(StaticFiles):
    """The chat page's files, with a policy that allows nothing from elsewhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=str(folder), html=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except HTTPException:
            await _not_found(scope, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(page_headers(path))
        return response
