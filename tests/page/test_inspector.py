"""The inspector draws the run that is shown, and the menu that breaks it shows how it heals."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.page.chat import Chat
from tests.page.server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def fact(inspector: Locator, name: str) -> Locator:
    """Return the value of one fact."""
    return inspector.locator("dt", has_text=re.compile(f"^{name}$")).locator("+ dd")


async def open_inspector(page: Page) -> Locator:
    await page.get_by_role("button", name="Inspector", exact=True).click()
    inspector = page.get_by_role("complementary", name="Inspector")
    await expect(inspector).to_be_visible()
    return inspector


async def test_the_inspector_tells_the_run_as_it_goes(chat: Chat, page: Page) -> None:
    """What arrived, how often the connection broke, and how it ended."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    inspector = await open_inspector(page)
    await expect(fact(inspector, "Run")).to_contain_text("run-0")
    await expect(fact(inspector, "Characters")).to_contain_text("6")
    run.cut_now()
    await run.until_read_by(1)
    run.say(" and after")
    await expect(fact(inspector, "Reconnects")).to_contain_text("1")
    run.emit({"usage": {"input_tokens": 9, "output_tokens": 4}})
    run.end(usage={"input_tokens": 9, "output_tokens": 4})
    await expect(fact(inspector, "Outcome")).to_contain_text("completed")
    await expect(fact(inspector, "Finish reason")).to_contain_text("stop")
    await expect(fact(inspector, "Last id")).to_contain_text("4")
    await expect(fact(inspector, "Usage")).to_contain_text("9")
    await expect(inspector.get_by_role("img", name="Characters over time")).to_be_visible()


async def test_what_the_inspector_draws_is_there_as_a_table(chat: Chat, page: Page) -> None:
    """For those who can't see the drawing."""
    run = await chat.ask()
    run.say("Some text")
    run.end()
    await chat.expect_answer("Some text")
    inspector = await open_inspector(page)
    await inspector.get_by_text("As a table").click()
    await expect(inspector.get_by_role("table")).to_be_visible()
    assert 1 < await inspector.get_by_role("row").count()


async def test_there_is_no_menu_to_break_things_unless_the_server_offers_it(
    chat: Chat, page: Page
) -> None:
    """Only in development."""
    await expect(chat.button("Inspector")).to_be_visible()
    await expect(chat.button("Break it")).to_have_count(0)


async def test_a_connection_that_the_menu_cuts_heals_before_ones_eyes(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """The run named in the request is the one on the page, and it loses nothing."""
    server.actions = [
        {"name": "cut", "label": "Cut the connection", "description": "Readers resume."}
    ]
    await page.reload()
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    inspector = await open_inspector(page)
    await chat.button("Break it").click()
    await page.get_by_role("menuitem", name="Cut the connection").click()
    await server.until(lambda server: server.asked[-1].method == "GET")
    run.say(" and after")
    run.end()
    await chat.expect_answer("Before and after")
    broken = next(asked for asked in server.posts() if asked.path == "/faults/cut")
    assert {"run_id": "run-0"} == broken.body
    await expect(fact(inspector, "Reconnects")).to_contain_text("1")
