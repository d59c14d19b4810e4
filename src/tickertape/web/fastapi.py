"""The routes as a FastAPI router, for an application of one's own.

    from tickertape.web.fastapi import chat_router
    app.include_router(chat_router())

The only file that imports FastAPI. The routes show in the application's OpenAPI
page; what they do is `handlers`' business, the same as in `tickertape serve`.
"""

# No `from __future__ import annotations` here: FastAPI evaluates the annotations,
# and one of them is a parameter.

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response

from tickertape.core.request import ChatRequest
from tickertape.web.asgi import HandlersSlot, call_of, response_of, start_run
from tickertape.web.assembly import open_handlers
from tickertape.web.handlers import Handlers

_STREAM: Final = {
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
    "description": "Server-sent events; the last one's data is `[DONE]`.",
}


def _nobody() -> None:
    """Recognise nobody: runs have no owner, and whoever knows a run's id can read it."""


def chat_router(
    *,
    prefix: str = "",
    owner: Callable[..., Any] = _nobody,
    handlers: Callable[[], AbstractAsyncContextManager[Handlers]] = open_handlers,
) -> APIRouter:
    """Return a router with the native wire's routes.

    `owner` is a FastAPI dependency that returns who calls, as a string, and
    refuses with `HTTPException`; a run belongs to who started it. `handlers` is
    entered at start-up and left at shutdown; the default takes everything from
    the environment, and keeps runs in memory unless `TICKERTAPE_LOG` names a log.
    """
    slot = HandlersSlot()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with handlers() as slot.handlers:
            yield

    router = APIRouter(prefix=prefix, tags=["chat"], lifespan=lifespan)
    _add_run_routes(router, slot, owner)
    _add_server_routes(router, slot, owner)
    return router


def _add_run_routes(router: APIRouter, slot: HandlersSlot, owner: Callable[..., Any]) -> None:
    Owner = Annotated[str | None, Depends(owner)]  # noqa: N806  # a type

    @router.post(
        "/chat/stream",
        summary="Start a run and tail it",
        response_class=Response,
        responses={
            200: _STREAM,
            202: {"description": "Started; `Location` says where to read it."},
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _inline_schema(ChatRequest)}},
            }
        },
    )
    async def start(
        request: Request,
        owner: Owner,
        idempotency_key: Annotated[
            str | None, Header(description="A second start with the same key joins the first run.")
        ] = None,
        prefer: Annotated[
            str | None, Header(description="`respond-async`: start the run and don't tail it.")
        ] = None,
    ) -> Response:
        return await start_run(slot.handlers, request, owner=owner)

    @router.get(
        "/chat/stream/{run_id}",
        summary="Tail a run, or describe it as JSON",
        response_class=Response,
        responses={200: _STREAM, 204: {"description": "Closed, and nothing after the cursor."}},
    )
    async def tail(
        request: Request,
        run_id: str,
        owner: Owner,
        after: Annotated[
            str | None, Query(description="The id of the last block that was read.")
        ] = None,
        last_event_id: Annotated[
            str | None, Header(description="As `after`, and stronger.")
        ] = None,
    ) -> Response:
        return response_of(await slot.handlers.tail_run(call_of(request, owner=owner), run_id))

    @router.delete("/chat/stream/{run_id}", summary="Cancel a run", response_class=Response)
    async def cancel(request: Request, run_id: str, owner: Owner) -> Response:
        """Cancel the run. Answers when its end is in the log; safe to repeat."""
        return response_of(await slot.handlers.cancel_run(call_of(request, owner=owner), run_id))


def _add_server_routes(router: APIRouter, slot: HandlersSlot, owner: Callable[..., Any]) -> None:
    @router.get(
        "/models",
        summary="The models that can be asked for",
        response_class=Response,
        dependencies=[Depends(owner)],
    )
    async def models() -> Response:
        return response_of(await slot.handlers.list_models())

    @router.get("/healthz", summary="This process answers", response_class=Response)
    async def alive() -> Response:
        return response_of(await slot.handlers.is_alive())

    @router.get("/readyz", summary="It takes runs", response_class=Response)
    async def ready() -> Response:
        return response_of(await slot.handlers.is_ready())


def _inline_schema(kind: type) -> object:
    """Return the type's JSON schema without references, which would miss in the user's document."""
    schema = msgspec.json.schema(kind, schema_hook=lambda _: {"description": "any JSON value"})
    definitions = schema.pop("$defs", {})

    def inline(node: object) -> object:
        match node:
            case {"$ref": str(ref)}:
                return inline(definitions[ref.rpartition("/")[2]])
            case dict():
                return {key: inline(value) for key, value in node.items()}
            case list():
                return [inline(item) for item in node]
            case _:
                return node

    return inline(schema)
