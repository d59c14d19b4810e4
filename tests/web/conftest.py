"""A real server on a free port, over a provider that says what a test tells it."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException

from tests.losing_log import LosingLog
from tests.web.flask_server import flask_app, serving_in_threads
from tickertape.core.errors import InvalidRequest
from tickertape.engine.engine import Engine
from tickertape.providers.base import Route
from tickertape.testing.scripted import ScriptedProvider
from tickertape.web.asgi import create_app
from tickertape.web.fastapi import chat_router
from tickertape.web.handlers import Handlers
from tickertape.web.limits import Limits

LIMITS = Limits(max_body_bytes=20_000, max_messages=5, max_characters=1000, max_tokens=100)


class OneModel:
    """A catalog that knows one provider."""

    def __init__(self, provider):
        self.provider = provider

    def routes(self, model):
        if model not in {"", "m", "other"}:
            raise InvalidRequest(f"there is no model {model!r}", param="model")
        return [Route(self.provider, model or "m")]

    def names(self):
        return ["m", "other"]


def starlette_app(open_handlers):
    async def authenticate(request):
        if request.headers.get("authorization") == "wrong":
            raise HTTPException(401, "sign in")
        return request.headers.get("authorization")

    return create_app(open_handlers, authenticate=authenticate)


def fastapi_app(open_handlers):
    def owner(request: Request) -> str | None:
        if request.headers.get("authorization") == "wrong":
            raise HTTPException(401, "sign in")
        return request.headers.get("authorization")

    app = FastAPI()
    app.include_router(chat_router(owner=owner, handlers=open_handlers))
    return app


class Server:
    """What a test needs of a running server."""

    def __init__(self, url, provider, engine, session):
        self.url = url
        self.provider = provider
        self.engine = engine
        self.session = session

    def start(self, body=None, **options):
        body = body or {"messages": [{"role": "user", "content": "Hi"}]}
        return self.session.post(f"{self.url}/chat/stream", json=body, **options)

    def tail(self, run_id, **options):
        return self.session.get(f"{self.url}/chat/stream/{run_id}", **options)

    def cancel(self, run_id, **options):
        return self.session.delete(f"{self.url}/chat/stream/{run_id}", **options)


class _InLoopServer(uvicorn.Server):
    """A server that leaves signals alone and tells when it has started."""

    def __init__(self, app):
        super().__init__(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        self.has_started = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self):
        yield

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.has_started.set()


@contextlib.asynccontextmanager
async def serving(app):
    """Serve the application from this event loop; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _InLoopServer(app)
        task = asyncio.ensure_future(server.serve(sockets=[listener]))
        await server.has_started.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def in_starlette(open_handlers):
    return serving(starlette_app(open_handlers))


def in_fastapi(open_handlers):
    return serving(fastapi_app(open_handlers))


def in_flask(open_handlers):
    return serving_in_threads(flask_app(open_handlers))


FRAMEWORKS = {"starlette": in_starlette, "fastapi": in_fastapi, "flask": in_flask}


@pytest.fixture(params=FRAMEWORKS)
async def server(request):
    serve = FRAMEWORKS[request.param]
    provider = ScriptedProvider()
    async with Engine(LosingLog(), max_runs=4, heartbeat_s=0.2) as engine:
        handlers = Handlers(engine, OneModel(provider), limits=LIMITS)
        opening = serve(lambda: contextlib.nullcontext(handlers))
        async with opening as url, aiohttp.ClientSession() as session:
            yield Server(url, provider, engine, session)
            await engine.drain(0)
