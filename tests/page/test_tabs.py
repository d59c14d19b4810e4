"""Several tabs on one conversation: they show the same, and each can stop what runs."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from tests.page.chat import TEXT, WORDS, Chat
from tests.page.server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def other(chat: Chat, context: BrowserContext, server: PageServer) -> Chat:
    """A second tab of the same browser, on the same conversation."""
    await expect(chat.textbox).to_be_visible()
    page = await context.new_page()
    await page.goto(chat.page.url)
    return Chat(page, server)


async def test_p1_two_tabs_on_one_run_end_with_exactly_the_text(
    chat: Chat, other: Chat, server: PageServer
) -> None:
    """What is asked in one tab is answered in both, word by word, and started once."""
    run = await chat.ask()
    for word in WORDS:
        run.say(word)
        await chat.expect_text(run.text)
        await other.expect_text(run.text)
    run.end()
    await chat.expect_answer(TEXT)
    await other.expect_answer(TEXT)
    await expect(other.questions).to_have_count(1)
    assert 1 == len(server.runs)


async def test_p4_stop_in_one_tab_shows_in_the_other(chat: Chat, other: Chat) -> None:
    """The second tab stops what the first one asked."""
    run = await chat.ask()
    run.say("As far as")
    await other.expect_text("As far as")
    await other.button("Stop").click()
    await other.expect_answer("As far as", status="cancelled")
    await chat.expect_answer("As far as", status="cancelled")
    assert run.is_cancelled


async def test_a_tab_that_is_closed_takes_nothing_from_the_other(chat: Chat, other: Chat) -> None:
    """The tab that asked goes; the one that follows has the whole answer."""
    run = await chat.ask()
    run.say("Before")
    await other.expect_text("Before")
    await chat.page.close(run_before_unload=True)
    run.say(" and after")
    run.end()
    await other.expect_answer("Before and after")
    assert not run.is_cancelled


async def test_a_tab_opened_in_the_middle_of_an_answer_follows_it(
    chat: Chat, context: BrowserContext, server: PageServer
) -> None:
    """It begins with what was said before it came."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    page = await context.new_page()
    await page.goto(server.url)
    late = Chat(page, server)
    await late.expect_text("Before")
    run.say(" and after")
    run.end()
    await late.expect_answer("Before and after")
    await chat.expect_answer("Before and after")
    assert 1 == len(server.runs)


async def test_what_one_tab_asks_next_the_other_shows(
    chat: Chat, other: Chat, server: PageServer
) -> None:
    """Turn by turn from either tab, with the whole conversation sent each time."""
    run = await chat.ask("One?")
    run.say("Yes")
    run.end()
    await other.expect_answer("Yes")
    run = await other.ask("Two?")
    run.say("No")
    run.end()
    await expect(chat.questions).to_have_text(["One?", "Two?"])
    await chat.expect_answer("No")
    contents = [message["content"] for message in server.posts()[-1].body["messages"]]
    assert ["One?", "Yes", "Two?"] == contents
