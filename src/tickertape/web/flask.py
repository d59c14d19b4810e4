"""The routes as a Flask blueprint, for an application of one's own.

    from tickertape.web.flask import chat_blueprint
    app.register_blueprint(chat_blueprint())

The only file that imports Flask. What the routes do is `handlers`' business, the
same as in `tickertape serve`. The engine runs on the background event loop; each
reader occupies one of the server's threads.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, assert_never

from flask import Blueprint, Response, request

from tickertape.core.errors import ConfigurationError
from tickertape.engine.background import background
from tickertape.web.assembly import open_handlers
from tickertape.web.handlers import AnyReply, Call, Handlers, body_too_large, not_configured
from tickertape.web.limits import Limits
from tickertape.web.replies import Reply, StreamReply
from tickertape.web.threaded import Loop, ThreadedHandlers
from tickertape.web.wsgi import FeedBody, connection_of

_READ_BYTES: Final = 65_536


def _nobody() -> None:
    """Recognise nobody: runs have no owner, and whoever knows a run's id can read it."""


def chat_blueprint(
    *,
    url_prefix: str = "",
    owner: Callable[[], str | None] = _nobody,
    handlers: Callable[[], AbstractAsyncContextManager[Handlers]] = open_handlers,
    loop: Loop = background,
) -> Blueprint:
    """Return a blueprint with the native wire's routes.

    `owner` is called in the request's context, returns who calls, and refuses with
    `flask.abort`; a run belongs to who started it. `handlers` is entered on the
    first request of each process and left at exit; the default takes everything
    from the environment, and keeps runs in memory unless `TICKERTAPE_LOG` names a log.
    `loop` is where they run.
    """
    views = _Views(ThreadedHandlers(handlers, loop=loop), owner)
    blueprint = Blueprint("tickertape", __name__, url_prefix=url_prefix or None)
    blueprint.post("/chat/stream")(views.start)
    blueprint.get("/chat/stream/<run_id>")(views.tail)
    blueprint.delete("/chat/stream/<run_id>")(views.cancel)
    blueprint.get("/models")(views.models)
    blueprint.get("/healthz")(views.alive)
    blueprint.get("/readyz")(views.ready)
    blueprint.register_error_handler(ConfigurationError, _refuse_unconfigured)
    return blueprint


class _Views:
    """One method for each route, in the thread of the request."""

    def __init__(self, handlers: ThreadedHandlers, owner: Callable[[], str | None]) -> None:
        self._handlers = handlers
        self._owner = owner

    def start(self) -> Response:
        owner = self._owner()
        handlers = self._handlers.get()
        body = _read_body(handlers.limits)
        if len(body) > handlers.limits.max_body_bytes:
            return self._response_of(body_too_large(handlers.limits))
        return self._answer(handlers.start_run(_call_of_request(owner, body=body)))

    def tail(self, run_id: str) -> Response:
        call = _call_of_request(self._owner())
        return self._answer(self._handlers.get().tail_run(call, run_id))

    def cancel(self, run_id: str) -> Response:
        call = _call_of_request(self._owner())
        return self._answer(self._handlers.get().cancel_run(call, run_id))

    def models(self) -> Response:
        self._owner()
        return self._answer(self._handlers.get().list_models())

    def alive(self) -> Response:
        return self._answer(self._handlers.get().is_alive())

    def ready(self) -> Response:
        return self._answer(self._handlers.get().is_ready())

    def _answer(self, reply: Coroutine[Any, Any, AnyReply]) -> Response:
        return self._response_of(self._handlers.loop.call(reply))

    def _response_of(self, reply: AnyReply) -> Response:
        match reply:
            case Reply():
                response = Response(reply.body, reply.status)
            case StreamReply():
                connection = connection_of(request.environ)
                body = FeedBody(
                    reply.feed,
                    loop=self._handlers.loop,
                    note=reply.note,
                    connection=connection,
                )
                response = Response(body, reply.status)
            case _:
                assert_never(reply)
        del response.headers["content-type"]  # Flask's own; a 204 has none
        response.headers.update(reply.headers)
        return response


def _call_of_request(owner: str | None, *, body: bytes = b"") -> Call:
    """Return the request as a value that the handlers understand."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = dict(request.args.items(multi=True))  # of equal names, the last counts
    return Call(request.script_root + request.path, headers, query, body, owner)


def _read_body(limits: Limits) -> bytes:
    """Read the body, up to one byte more than is allowed."""
    body = bytearray()
    missing = limits.max_body_bytes + 1
    while missing and (chunk := request.stream.read(min(_READ_BYTES, missing))):
        body += chunk
        missing -= len(chunk)
    return bytes(body)


def _refuse_unconfigured(error: ConfigurationError) -> Response:
    reply = not_configured(error)
    return Response(reply.body, reply.status, reply.headers)
