"""The page of docs/no-build-step.md in a real browser: one file, and the browser's EventSource."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from playwright.async_api import expect
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route, Router

from tests.page.chromium import open_chromium
from tests.web.conftest import LIMITS, OneModel, serving
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.testing.scripted import ScriptedProvider
from tickertape.web.asgi import create_app
from tickertape.web.breakable import BreakableModels
from tickertape.web.breakage import BreakableHandlers

pytestmark = pytest.mark.browser

DOCUMENT = Path(__file__).parents[2] / "docs" / "no-build-step.md"
PAGE = re.findall(r"```html\n(.+?)```", DOCUMENT.read_text(), re.DOTALL)[0]


class Reading:
    """The page, open; the provider that answers it; and what it has asked for."""

    def __init__(self, page, provider):
        self.page = page
        self.provider = provider
        self.requests = []
        page.on("request", self._note)

    def _note(self, request):
        self.requests.append(request)

    async def ask(self):
        """Ask, and let the provider say its first words."""
        await self.page.get_by_label("Your question").fill("What is it?")
        await self.page.get_by_role("button", name="Ask").click()
        self.provider.stream.send("Tear it ")
        await expect(self.page.locator("#answer")).to_have_text("Tear it ")

    async def do(self, action):
        """Break the run on command."""
        url = next(each.url for each in self.requests if each.resource_type == "eventsource")
        run_id = url.rpartition("/")[2]
        response = await self.page.request.post(f"/faults/{action}", data={"run_id": run_id})
        assert 200 == response.status

    @property
    def streams(self):
        """How often it has opened the stream."""
        return len([each for each in self.requests if each.resource_type == "eventsource"])


@pytest.fixture
async def reading():
    provider = ScriptedProvider()
    async with contextlib.AsyncExitStack() as stack:
        engine = await stack.enter_async_context(Engine(MemoryLog()))
        models = BreakableModels(OneModel(provider), ScriptedProvider(name="faults"), [])
        handlers = BreakableHandlers(engine, models, limits=LIMITS)
        api = create_app(lambda: contextlib.nullcontext(handlers), page_folder=None, faults=True)
        app = Router(
            [Route("/", lambda _request: HTMLResponse(PAGE)), Mount("/", app=api)],
            lifespan=api.lifespan_context,
        )
        url = await stack.enter_async_context(serving(app))
        stack.push_async_callback(engine.drain, 0)
        browser = await stack.enter_async_context(open_chromium())
        page = await (await browser.new_context(base_url=url)).new_page()
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto("/")
        yield Reading(page, provider)
        assert [] == faults


async def test_it_shows_the_answer_as_it_comes(reading):
    """And no more is asked for after its end."""
    await reading.ask()
    reading.provider.stream.finish("anywhere. 🧵")
    await expect(reading.page.locator("#answer")).to_have_text("Tear it anywhere. 🧵")
    await expect(reading.page.get_by_role("button", name="Stop")).to_be_hidden()
    await expect(reading.page.locator("#note")).to_be_empty()
    assert 1 == reading.streams


async def test_p1_the_browser_resumes_by_itself(reading):
    """After a broken connection, with the id that it has read last."""
    await reading.ask()
    async with reading.page.expect_request(
        lambda request: request.resource_type == "eventsource"
    ) as resuming:
        await reading.do("cut")
    reading.provider.stream.finish("anywhere.")
    await expect(reading.page.locator("#answer")).to_have_text("Tear it anywhere.")
    assert "1" == await (await resuming.value).header_value("last-event-id")
    await expect(reading.page.locator("#note")).to_be_empty()


async def test_p4_stop_stops_the_model(reading):
    """While it says nothing; what it has said stays."""
    await reading.ask()
    await reading.page.get_by_role("button", name="Stop").click()
    await expect(reading.page.locator("#note")).to_have_text("Stopped.")
    await expect(reading.page.locator("#answer")).to_have_text("Tear it ")
    assert reading.provider.stream.is_closed


async def test_p2_an_answer_that_is_not_whole_is_called_so(reading):
    """In words for people."""
    await reading.ask()
    await reading.do("kill")
    await expect(reading.page.locator("#note")).to_have_text(
        "This answer is not whole: The answer broke off."
    )


async def refuse(reading, status):
    """Let every stream be refused with this status, until `unroute_all`."""
    await reading.page.route(
        "**/chat/stream/*", lambda route: route.fulfill(status=status, body="{}")
    )


async def cut_and_refuse(reading, status):
    """Ask, cut the answer's connection, and have the next one refused; the page's clock stands."""
    await reading.page.clock.install()
    await reading.ask()
    await refuse(reading, status)
    async with reading.page.expect_response(lambda response: response.status == status):
        await reading.do("cut")


async def test_it_goes_on_after_a_status_that_an_event_source_gives_up_at(reading):
    """Where it was: the server was restarted, say."""
    await cut_and_refuse(reading, 503)
    await reading.page.unroute_all()
    reading.provider.stream.finish("anywhere.")
    await expect(reading.page.locator("#note")).to_contain_text("Connecting again")
    await reading.page.clock.run_for(3000)
    await expect(reading.page.locator("#answer")).to_have_text("Tear it anywhere.")
    await expect(reading.page.locator("#note")).to_be_empty()


async def test_it_begins_again_where_the_server_has_lost_what_it_read(reading):
    """And what it shows then is what the server has."""
    await cut_and_refuse(reading, 409)
    async with reading.page.expect_response(lambda response: response.status == 409):
        await reading.page.clock.run_for(3000)
    await reading.page.unroute_all()
    reading.provider.stream.finish("anywhere.")
    await expect(reading.page.locator("#answer")).to_have_text("Tear it anywhere.")
    assert "after=" not in reading.requests[-1].url


async def test_an_answer_that_is_gone_is_not_asked_for_again(reading):
    """It says so, and another question can be asked."""
    await cut_and_refuse(reading, 410)
    await expect(reading.page.locator("#note")).to_contain_text("Connecting again")
    await reading.page.clock.run_for(3000)
    await expect(reading.page.locator("#note")).to_have_text("This answer is not kept any more.")
    await expect(reading.page.get_by_role("button", name="Ask")).to_be_enabled()


async def test_an_event_source_that_nobody_closes_stops_at_the_end(reading):
    """It connects once more, is told 204, and never comes back."""
    await reading.ask()
    reading.provider.stream.finish("anywhere.")
    await expect(reading.page.get_by_role("button", name="Stop")).to_be_hidden()
    url = next(each.url for each in reading.requests if each.resource_type == "eventsource")
    async with reading.page.expect_response(lambda response: response.status == 204):
        await reading.page.evaluate(
            "url => new Promise(done => { const source = new EventSource(url);"
            " source.onerror = () => source.readyState === EventSource.CLOSED && done(); })",
            url,
        )
