"""A server in development breaks on command, and everything keeps its promises."""

from __future__ import annotations

import contextlib

import aiohttp
import msgspec
import pytest

from tests.web.conftest import LIMITS, OneModel, Server, serving
from tickertape.core.deadlines import Deadlines
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.testing.scripted import ScriptedProvider
from tickertape.web.asgi import create_app
from tickertape.web.breakable import BreakableModels
from tickertape.web.breakage import ACTIONS, BreakableHandlers
from tickertape.web.handlers import Handlers


class BreakableServer(Server):
    """A server, and what a page asks of it."""

    async def start_reading(self):
        """Start a run, read its first words, and return the response and the run's id."""
        response = await self.start()
        self.provider.stream.send("one ")
        await until(response, b'"one "')
        return response, response.headers["location"].rpartition("/")[2]

    async def do(self, action, run_id):
        response = await self.session.post(f"{self.url}/faults/{action}", json={"run_id": run_id})
        return response.status, await response.json()


async def until(response, expected):
    received = b""
    while expected not in received:
        piece = await response.content.readany()
        assert piece, received
        received += piece
    return received


@pytest.fixture
def deadlines():
    return Deadlines()


@pytest.fixture
async def server(deadlines):
    provider = ScriptedProvider()
    async with Engine(MemoryLog(), heartbeat_s=0.2, deadlines=deadlines) as engine:
        models = BreakableModels(OneModel(provider), ScriptedProvider(name="faults"), ["stall"])
        handlers = BreakableHandlers(engine, models, limits=LIMITS)
        app = create_app(lambda: contextlib.nullcontext(handlers), faults=True)
        async with serving(app) as url, aiohttp.ClientSession() as session:
            yield BreakableServer(url, provider, engine, session)
            await engine.drain(0)


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_it_says_what_can_be_broken(server, prefix):
    """By name, with words for a menu."""
    async with server.session.get(f"{server.url}{prefix}/faults") as response:
        expected = {"actions": [msgspec.to_builtins(action) for action in ACTIONS]}
        assert expected == await response.json()


async def test_the_list_of_models_says_that_there_are_faults(server):
    """So a page asks for them only where they are."""
    async with server.session.get(f"{server.url}/models") as response:
        assert (await response.json())["has_faults"] is True


async def test_other_servers_have_no_such_routes():
    """Whatever is asked there, it is like any other path that does not exist."""
    async with Engine(MemoryLog()) as engine:
        handlers = Handlers(engine, OneModel(ScriptedProvider()))
        app = create_app(lambda: contextlib.nullcontext(handlers), page_folder=None)
        async with serving(app) as url, aiohttp.ClientSession() as session:
            async with session.get(f"{url}/faults") as response:
                assert 404 == response.status
            async with session.post(f"{url}/faults/cut", json={"run_id": "r"}) as response:
                assert 404 == response.status


async def test_p1_a_cut_reader_resumes_where_it_was(server, caplog):
    """Its connection breaks without an end; the run goes on; nobody complains."""
    response, run_id = await server.start_reading()
    other = await server.tail(run_id)
    await until(other, b'"one "')
    assert 200 == (await server.do("cut", run_id))[0]
    for cut in (response, other):
        with pytest.raises(aiohttp.ClientPayloadError):
            await cut.read()
    server.provider.stream.finish("two")
    rest = await (await server.tail(run_id, headers={"Last-Event-ID": "1"})).read()
    assert b'"one "' not in rest
    assert b'"two"' in rest
    assert b'"outcome":"completed"' in rest
    ours = [each for each in caplog.records if each.name.startswith("tickertape")]
    assert [] == [each.message for each in ours if each.levelname != "INFO"]


@pytest.mark.parametrize("deadlines", [Deadlines(stall_timeout_s=0.5)], ids=["short"])
async def test_p5_a_stalled_run_ends_by_its_deadline(server):
    """And the text that was there stays."""
    response, run_id = await server.start_reading()
    assert 200 == (await server.do("stall", run_id))[0]
    server.provider.stream.send("two ")
    rest = await response.read()
    assert b'"code":"stalled"' in rest
    assert b'"two "' not in rest
    assert server.provider.stream.is_closed


async def test_a_stalled_run_may_go_on(server):
    """Where it was."""
    response, run_id = await server.start_reading()
    await server.do("stall", run_id)
    server.provider.stream.finish("two ")
    await server.do("go-on", run_id)
    rest = await response.read()
    assert b'"two "' in rest
    assert b'"outcome":"completed"' in rest


async def test_p2_a_killed_provider_is_told_of(server):
    """The run ends `truncated`: readers know that the answer is not whole."""
    response, run_id = await server.start_reading()
    assert 200 == (await server.do("kill", run_id))[0]
    assert b'"code":"truncated"' in await response.read()


async def test_p2_a_run_that_lost_its_writer_is_ended(server):
    """As when a process dies, under the next epoch."""
    response, run_id = await server.start_reading()
    assert 200 == (await server.do("lose", run_id))[0]
    rest = await response.read()
    assert b'"code":"producer_lost"' in rest
    assert b"id: 2.2\n" in rest


@pytest.mark.parametrize("pace", ["slow", "burst"])
async def test_the_pace_can_be_changed(server, pace):
    """And the answer is whole."""
    response, run_id = await server.start_reading()
    assert 200 == (await server.do(pace, run_id))[0]
    server.provider.stream.finish("two ")
    assert b'"outcome":"completed"' in await response.read()


@pytest.mark.parametrize("action", [action.name for action in ACTIONS])
async def test_there_is_nothing_to_break_when_a_run_has_ended(server, action):
    """Which is said, and changes nothing."""
    response, run_id = await server.start_reading()
    server.provider.stream.finish()
    await response.read()
    await (await server.tail(run_id)).read()
    status, body = await server.do(action, run_id)
    assert (409, "nothing_to_break") == (status, body["error"]["code"])


async def test_what_is_not_there_can_not_be_broken(server):
    """An unknown action, an unknown run, a body that is none."""
    response, run_id = await server.start_reading()
    assert 404 == (await server.do("explode", run_id))[0]
    assert "unknown_run" == (await server.do("cut", "nobody's"))[1]["error"]["code"]
    url = f"{server.url}/faults/cut"
    async with server.session.post(url, json={"run": run_id}) as refused:
        code = (await refused.json())["error"]["code"]
        assert (400, "invalid_request") == (refused.status, code)
    async with server.session.post(url, data=b'{"run_id":"r"}') as refused:
        assert 400 == refused.status
    response.close()


async def test_p10_only_the_owner_of_a_run_can_break_it():
    """For anyone else there is no such run."""

    async def authenticate(request):
        return request.headers.get("authorization")

    provider = ScriptedProvider()
    async with Engine(MemoryLog()) as engine:
        models = BreakableModels(OneModel(provider), ScriptedProvider(name="faults"), [])
        handlers = BreakableHandlers(engine, models, limits=LIMITS)
        app = create_app(
            lambda: contextlib.nullcontext(handlers), authenticate=authenticate, faults=True
        )
        async with serving(app) as url, aiohttp.ClientSession() as session:
            server = BreakableServer(url, provider, engine, session)
            response = await server.start(headers={"authorization": "ada"})
            run_id = response.headers["location"].rpartition("/")[2]
            assert "unknown_run" == (await server.do("cut", run_id))[1]["error"]["code"]
            await engine.drain(0)
            await response.read()
