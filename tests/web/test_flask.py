"""The blueprint in an application of one's own: two lines, and the same answers as elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import flask
import pytest

from tests.web.conftest import FRAMEWORKS, LIMITS, OneModel
from tests.web.flask_server import serving_in_threads
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.testing.fault_server import Answer, Faults, FaultServer, Stall
from tickertape.testing.scripted import ScriptedProvider
from tickertape.web.flask import chat_blueprint
from tickertape.web.handlers import Handlers
from tickertape.wires.native import NativeFeed

HELLO = {"messages": [{"role": "user", "content": "Hi"}]}
JSON = {"Content-Type": "application/json"}
HEADERS = {
    "cache-control", "content-encoding", "content-length", "content-type", "location",
    "preference-applied", "retry-after", "x-accel-buffering", "x-should-retry",
}  # fmt: skip


def body(request):
    return json.dumps(request).encode()


REQUESTS = [
    ("POST", "/chat/stream", JSON | {"Idempotency-Key": "k"}, body(HELLO)),
    ("POST", "/chat/stream", JSON | {"Idempotency-Key": "k"}, body(HELLO | {"model": "other"})),
    ("POST", "/chat/stream", JSON | {"Prefer": "respond-async"}, body(HELLO)),
    ("POST", "/chat/stream", JSON, b"{"),
    ("POST", "/chat/stream", JSON, body(HELLO | {"n": 99})),
    ("POST", "/chat/stream", JSON, b""),
    ("POST", "/chat/stream", JSON, b" " * LIMITS.max_body_bytes),
    ("POST", "/chat/stream", JSON, b" " * (LIMITS.max_body_bytes + 1)),
    ("POST", "/chat/stream", {"Content-Type": "text/plain"}, b" " * 1_000_000),
    ("POST", "/chat/stream", {"Content-Type": "text/plain"}, b"{}"),
    ("GET", "/chat/stream/r0", {}, b""),
    ("GET", "/chat/stream/r0?after=0", {}, b""),
    ("GET", "/chat/stream/r0?after=x&after=2", {}, b""),
    ("GET", "/chat/stream/r0", {"Last-Event-ID": "3"}, b""),
    ("GET", "/chat/stream/r0", {"Last-Event-ID": "nothing"}, b""),
    ("GET", "/chat/stream/r0?after=99", {}, b""),
    ("GET", "/chat/stream/r0", {"Accept": "application/json"}, b""),
    ("GET", "/chat/stream/caf%C3%A9", {}, b""),
    ("DELETE", "/chat/stream/r0", {}, b""),
    ("DELETE", "/chat/stream/nothing", {}, b""),
    ("GET", "/models", {}, b""),
    ("GET", "/healthz", {}, b""),
    ("GET", "/readyz", {}, b""),
]


async def answers(serve):
    """Return status, headers that matter and body for each of the requests, in order."""
    numbers = itertools.count()
    engine = Engine(
        MemoryLog(), now=lambda: 0.0, make_run_id=lambda: f"r{next(numbers)}", heartbeat_s=60
    )
    provider = ScriptedProvider()
    provider.stream.finish("Hel", "lo")
    handlers = Handlers(engine, OneModel(provider), limits=LIMITS)
    opening = serve(lambda: contextlib.nullcontext(handlers))
    async with engine, opening as url, aiohttp.ClientSession() as session:
        found = [await answer(session, url, *request) for request in REQUESTS]
        await engine.drain(0)
        return [*found, await answer(session, url, *REQUESTS[2])]


async def answer(session, url, method, path, headers, data):
    address = f"{url}{path}"
    async with session.request(method, address, headers=headers, data=data or None) as response:
        received, times = re.subn(rb'"timings":{.*?}', b"", await response.read())
        found = {name.lower(): value for name, value in response.headers.items()}
        kept = {name: found[name] for name in sorted(HEADERS & found.keys())}
        if times:
            kept.pop("content-length", None)
        return response.status, kept, received


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS.keys() - {"starlette"}))
async def test_the_answers_are_those_of_tickertape_serve(framework):
    """Status, headers and body, byte for byte; only times differ."""
    expected, actual = await answers(FRAMEWORKS["starlette"]), await answers(FRAMEWORKS[framework])
    for request, one, other in zip([*REQUESTS, REQUESTS[2]], expected, actual, strict=True):
        assert (request[:3], one) == (request[:3], other)


@pytest.fixture
def provider(monkeypatch):
    """Run a provider that the environment names."""
    with FaultServer.in_thread(Answer(text=("Hel", "lo"))) as server:
        for name in ("AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {**server.openai_environment, "TICKERTAPE_MODEL": "m"}.items():
            monkeypatch.setenv(name, value)
        yield server


async def test_two_lines_mount_it_and_the_environment_configures_it(provider):
    """Under the application's own prefix, with a location that fits."""
    app = flask.Flask("mine")
    app.register_blueprint(chat_blueprint(url_prefix="/v1"), url_prefix="/api")
    async with serving_in_threads(app) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/api/chat/stream", json=HELLO) as response:
            assert b'"outcome":"completed"' in await response.read()
        async with session.get(f"{url}{response.headers['location']}") as response:
            assert b'"outcome":"completed"' in await response.read()


def test_the_owner_is_asked_in_the_context_of_the_request(provider):
    """Once for each route that has to do with runs, and `abort` refuses."""
    asked = []

    def owner():
        asked.append(flask.request.method)
        flask.abort(403)

    app = flask.Flask("mine")
    app.register_blueprint(chat_blueprint(owner=owner))
    client = app.test_client()
    statuses = [
        client.post("/chat/stream", json=HELLO).status_code,
        client.get("/chat/stream/r").status_code,
        client.delete("/chat/stream/r").status_code,
        client.get("/models").status_code,
    ]
    assert ([403] * 4, ["POST", "GET", "DELETE", "GET"]) == (statuses, asked)
    assert 200 == client.get("/healthz").status_code
    assert [] == provider.requests


def test_the_location_is_under_the_applications_own_root(provider):
    """Where a server or a middleware has mounted it."""
    app = flask.Flask("mine")
    app.register_blueprint(chat_blueprint())
    response = app.test_client().post("/chat/stream", json=HELLO, base_url="http://here/app")
    assert b"[DONE]" in response.data
    assert response.headers["location"].startswith("/app/chat/stream/")


def test_a_head_request_leaves_no_subscriber(provider, monkeypatch):
    """A body that nobody reads is closed."""
    closed = []
    app = flask.Flask("mine")
    app.register_blueprint(chat_blueprint())
    client = app.test_client()
    started = client.post("/chat/stream", json=HELLO)
    assert b"[DONE]" in started.data
    monkeypatch.setattr(NativeFeed, "close", lambda _: closed.append(True))
    with client.head(started.headers["location"]) as response:
        assert (200, b"") == (response.status_code, response.data)
    assert [True] == closed


@pytest.mark.parametrize("server", ["flask"], indirect=True)
async def test_heartbeats_notice_a_reader_that_leaves_where_its_connection_is_hidden(
    server, monkeypatch
):
    """The second one can't be written."""
    left = asyncio.Event()
    close = NativeFeed.close
    monkeypatch.setattr(NativeFeed, "close", lambda feed: (close(feed), left.set()))
    monkeypatch.setattr("tickertape.web.flask.connection_of", lambda _: None)
    async with server.start() as response:
        await response.content.readany()
        response.close()
        await left.wait()
    assert not server.provider.stream.is_closed


def test_without_a_provider_the_operator_is_told_and_the_reader_is_not(monkeypatch, caplog):
    """A 500 in the form that errors have."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "nonsense")
    app = flask.Flask("mine")
    app.register_blueprint(chat_blueprint())
    response = app.test_client().get("/models")
    assert (500, "not_configured") == (response.status_code, response.get_json()["error"]["code"])
    assert "nonsense" in caplog.text
    assert b"nonsense" not in response.data


def test_nothing_is_left_at_exit(provider):
    """A program that ends in the middle of an answer ends the run, and says nothing."""
    script = """
from flask import Flask
from tickertape.web.flask import chat_blueprint
from tickertape.engine.engine import Engine

end_runs = Engine.end_runs
Engine.end_runs = lambda engine: print("ended", engine.running_runs) or end_runs(engine)
app = Flask("mine")
app.register_blueprint(chat_blueprint())
response = app.test_client().post("/chat/stream", json={"messages": [
    {"role": "user", "content": "Hi"}]}, buffered=False)
print(response.status_code)
"""
    provider.play(Faults(failure=Stall(after_chunks=2)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ("", ["200", "ended", "1"], 0) == (done.stderr, done.stdout.split(), done.returncode)
    assert 0 < provider.next_exchange().result().hung_up().result()


def test_the_documentation_shows_an_application():
    """The first lines of docs/flask.md are one; the others use names that exist."""
    text = (Path(__file__).parents[2] / "docs" / "flask.md").read_text()
    first, second = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shown: dict[str, Any] = {"__name__": "shown"}
    exec(first, shown)
    assert {"/chat/stream", "/models"} <= {str(rule) for rule in shown["app"].url_map.iter_rules()}
    exec(second, shown | {"app": flask.Flask("another")})
    for name in set(re.findall(r"tickertape(?:\.\w+)+", text)):
        assert pkgutil.resolve_name(name)
