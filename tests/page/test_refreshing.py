"""Reloads and closed tabs in the middle of an answer: the run goes on, and so does the page."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.page.chat import Chat
from tests.page.server import PageServer, refusal

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_p4_a_reload_in_the_middle_of_an_answer_goes_on_where_it_was(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """The text is there at once, the rest follows, and the run was neither stopped nor repeated."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    await page.reload()
    await chat.expect_text("Before")
    run.say(" and after")
    await chat.expect_text("Before and after")
    run.end()
    await chat.expect_answer("Before and after")
    assert ["POST", "GET"] == [asked.method for asked in server.asked]
    assert "1" == server.asked[1].after


async def test_p1_a_reload_after_every_word_shows_each_word_once(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """However often the page is loaded anew, and while the server speaks."""
    run = await chat.ask()
    told = ""
    for number in range(8):
        run.say(f"word{number} ")
        told += f"word{number} "
        if number % 2:
            await chat.expect_text(told)
        await page.reload()
    run.end()
    await chat.expect_answer(told)
    assert 1 == len(server.runs)
    assert not run.is_cancelled


async def test_p1_an_answer_that_ended_while_the_page_was_closed_is_there_afterwards(
    chat: Chat, page: Page, server: PageServer, context: BrowserContext
) -> None:
    """A closed tab loses nothing: a new one shows the rest."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    await page.close(run_before_unload=False)
    run.say(" and after")
    run.end()
    later = await context.new_page()
    await later.goto(server.url)
    await Chat(later, server).expect_answer("Before and after")
    assert 1 == len(server.runs)


async def test_p7_a_reload_before_the_run_is_known_joins_it(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """Reloaded before the first header, the page starts again with the same key."""
    server.headers_gate.clear()
    run = await chat.ask()
    await page.reload()
    await server.until(lambda server: len(server.posts()) == 2)
    server.headers_gate.set()
    run.say("Once")
    run.end()
    await chat.expect_answer("Once")
    assert 1 == len(server.runs)


async def test_p2_a_reload_to_a_run_that_is_gone_says_so_and_keeps_the_text(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """The server has forgotten the run meanwhile: what had arrived stays, with a way on."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    server.refusals.append(refusal(404, "unknown_run", "there is no such run"))
    await page.reload()
    await chat.expect_text("Before")
    await expect(chat.note).not_to_be_empty()
    await expect(chat.button("Try again")).to_be_visible()
    await expect(chat.button("Send")).to_be_visible()


async def test_what_was_said_is_there_after_a_reload(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """Questions, answers and how they ended; and nothing is asked of the server again."""
    run = await chat.ask("One?")
    run.say("Yes")
    run.end()
    await chat.expect_answer("Yes")
    run = await chat.ask("Two?")
    run.say("Half")
    run.end("failed", error="it broke", code="stalled", retryable=True)
    await chat.expect_answer("Half", status="failed")
    await page.reload()
    await expect(chat.questions).to_have_text(["One?", "Two?"])
    await expect(chat.answers.first.locator(".tt-text")).to_have_text("Yes")
    await chat.expect_answer("Half", status="failed")
    await expect(chat.note).not_to_be_empty()
    assert 2 == len(server.asked)
