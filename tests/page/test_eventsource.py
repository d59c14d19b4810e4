"""A browser's own `EventSource` reads a run of ours: it resumes, and stops by itself.

No code of ours runs in the page. The server is the real one, over a provider
that says what the test tells it; a layer around it notes requests and cuts
answers.
"""

from __future__ import annotations

import contextlib

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.web.conftest import OneModel, serving
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.testing.scripted import ScriptedProvider
from tickertape.web.asgi import create_app
from tickertape.web.handlers import Handlers

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

READ = """(place) => {
  globalThis.texts = [];
  globalThis.ends = [];
  globalThis.source = new EventSource(place);
  source.onmessage = ({ data }) => {
    if (data === "[DONE]") return;
    const { content, outcome } = JSON.parse(data);
    if (content) texts.push(content);
    if (outcome) ends.push(outcome);
  };
}"""


class CuttingApp:
    """An application, all requests to it, and a way to cut its answers: between two writes."""

    def __init__(self, app):
        self._app = app
        self.cursors: list[str | None] = []
        """The `Last-Event-ID` of each request to tail a run."""
        self.statuses: list[int] = []
        self.is_to_cut = False
        """The next write of an answer, be it a heartbeat, is a broken connection in its place."""

    async def __call__(self, scope, receive, send):
        tails = scope["type"] == "http" and scope["path"].startswith("/chat/stream/")
        if tails:
            cursor = dict(scope["headers"]).get(b"last-event-id")
            self.cursors.append(cursor.decode() if cursor else None)

        async def passing_on(message):
            if tails and message["type"] == "http.response.start":
                self.statuses.append(message["status"])
            if self.is_to_cut and tails and message.get("body"):
                self.is_to_cut = False
                raise ConnectionAbortedError
            await send(message)

        # The server breaks the connection off under an application that ends halfway.
        with contextlib.suppress(ConnectionAbortedError):
            await self._app(scope, receive, passing_on)


@pytest_asyncio.fixture(loop_scope="session")
async def provider():
    """What answers."""
    return ScriptedProvider()


@pytest_asyncio.fixture(loop_scope="session")
async def app(provider):
    """The application, without a page of its own."""
    async with Engine(MemoryLog(), heartbeat_s=0.2) as engine:
        handlers = Handlers(engine, OneModel(provider))
        yield CuttingApp(create_app(lambda: contextlib.nullcontext(handlers), page_folder=None))
        await engine.drain(0)


@pytest_asyncio.fixture(loop_scope="session")
async def place(app, open_context):
    """The address of a run that has just started."""
    async with (
        serving(app) as url,
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/chat/stream",
            json={"messages": [{"role": "user", "content": "Hi"}]},
            headers={"Prefer": "respond-async"},
        ) as started,
    ):
        assert 202 == started.status
        yield url + started.headers["Location"]


@pytest_asyncio.fixture(loop_scope="session")
async def tab(open_context, place):
    """Any document of the same origin."""
    context = await open_context()
    page = await context.new_page()
    await page.goto(place.rpartition("/chat/")[0] + "/healthz")
    return page


async def until_read(page: Page, text: str) -> None:
    await page.wait_for_function("text => texts.join('') === text", arg=text)


async def test_p1_an_event_source_resumes_after_a_cut_and_stops_at_the_end(
    tab, place, app, provider
):
    """Cut twice: each text is there once, and 204 keeps it from asking for ever."""
    await tab.evaluate(READ, place)
    provider.stream.send("One 🧵")
    await until_read(tab, "One 🧵")
    provider.stream.send(" two")
    await until_read(tab, "One 🧵 two")
    app.is_to_cut = True
    provider.stream.send(" three")
    await until_read(tab, "One 🧵 two three")
    app.is_to_cut = True
    provider.stream.finish(" four")
    await tab.wait_for_function("source.readyState === EventSource.CLOSED", timeout=20_000)
    assert ["One 🧵", " two", " three", " four"] == await tab.evaluate("texts")
    assert ["completed"] == await tab.evaluate("ends")
    assert [200, 200, 200, 204] == app.statuses
    first, *resumed, last = app.cursors
    assert first is None
    assert ["2", "3"] == resumed
    # Beyond the last text stand the finish reason and the end.
    assert int(last) > 4


async def test_p2_an_event_source_that_comes_late_has_all_of_it(tab, place, app, provider):
    """A run that has ended is told from its beginning, and then not asked for again."""
    async with aiohttp.ClientSession() as session, session.get(place) as response:
        provider.stream.finish("All", " of", " it")
        assert b"[DONE]" in await response.read()
    await tab.evaluate(READ, place)
    await tab.wait_for_function("source.readyState === EventSource.CLOSED", timeout=20_000)
    assert "All of it" == "".join(await tab.evaluate("texts"))
    assert ["completed"] == await tab.evaluate("ends")
    assert [200, 200, 204] == app.statuses
