"""A real browser for the page's tests, and what every one of them may not do.

Waiting is always for a condition; where the page itself waits for long, its
clock is moved. All run on one event loop, that of the browser.

No test may raise an error on the page, break its content security policy, or
make it ask another host for anything.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request

from tests.page.chat import Chat
from tests.page.chromium import open_chromium
from tests.page.server import PageServer, serve_page
from tickertape.web.page_files import HOW_TO_BUILD, is_page_built

# The page draws its backoff at random. This draw makes every wait a few milliseconds, until a
# test says otherwise. No two draws are equal, in case something takes them for a name.
DRAW = "(() => { let n = 0; globalThis.draw = 0.005; Math.random = () => draw + ++n * 1e-9; })()"
# How the display buffer paces what arrives is tested elsewhere; here the text is compared, and
# a reader who wants no motion has it at once.
WITHOUT_MOTION = {"reduced_motion": "reduce"}


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all of them."""
    async with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def built_page() -> None:
    """The page, built; it is no part of the repository."""
    if not is_page_built():
        pytest.fail(HOW_TO_BUILD)


@pytest_asyncio.fixture(loop_scope="session")
async def server(built_page: None) -> AsyncIterator[PageServer]:
    """A scripted server for one test."""
    async with serve_page() as server:
        yield server


Open = Callable[..., Awaitable[BrowserContext]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_context(browser: Browser) -> AsyncIterator[Open]:
    """Return a function that makes a browser profile, and watches all that its pages do."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def watch(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            faults.append(f"asked for {request.url}")

    async def open_context(**options: object) -> BrowserContext:
        context = await browser.new_context(**{**WITHOUT_MOTION, **options})
        context.set_default_timeout(10_000)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        context.on("request", watch)
        context.on(
            "console",
            lambda message: faults.append(message.text) if "Policy" in message.text else None,
        )
        await context.add_init_script(DRAW)
        contexts.append(context)
        return context

    yield open_context
    for context in contexts:
        await context.close()
    assert [] == faults


@pytest_asyncio.fixture(loop_scope="session")
async def context(open_context: Open) -> BrowserContext:
    """A browser profile for one test."""
    return await open_context()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, server: PageServer) -> Page:
    """The page, open and quick to reconnect."""
    page = await context.new_page()
    await page.goto(server.url)
    # As soon as it is drawn, its address names the conversation.
    await page.wait_for_url(re.compile("#c="))
    return page


@pytest.fixture
def chat(page: Page, server: PageServer) -> Chat:
    """What a person does and sees there."""
    return Chat(page, server)
