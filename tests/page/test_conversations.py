"""The list of conversations, kept in the browser: new, open, rename, delete and undo."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.page.chat import TEXT, Chat, tell_all
from tests.page.server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_new_conversation_leaves_the_old_one_in_the_list(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """It can be opened again, is still there after a reload, and its words are not sent."""
    server.script = tell_all
    await chat.ask("First things?")
    await chat.expect_answer(TEXT)
    await chat.button("New conversation").click()
    await expect(chat.messages).to_have_count(0)
    await chat.ask("Second things?")
    await chat.expect_answer(TEXT)
    assert 1 == len(server.posts()[1].body["messages"])
    await page.reload()
    listed = page.get_by_role("navigation", name="Conversations")
    await listed.get_by_text("First things?").click()
    await expect(chat.questions).to_have_text("First things?")
    await expect(listed.locator("[aria-current=page]")).to_have_text("First things?")


async def test_p4_an_answer_goes_on_while_another_conversation_is_looked_at(
    chat: Chat, page: Page
) -> None:
    """To leave a conversation stops nothing in it."""
    run = await chat.ask("Slow?")
    run.say("Before")
    await chat.expect_text("Before")
    await chat.button("New conversation").click()
    await expect(chat.messages).to_have_count(0)
    run.say(" and after")
    run.end()
    await page.get_by_role("navigation", name="Conversations").get_by_text("Slow?").click()
    await chat.expect_answer("Before and after")
    assert not run.is_cancelled


async def test_a_conversation_is_renamed(chat: Chat, page: Page, server: PageServer) -> None:
    """By its button, with the keyboard, and for good."""
    server.script = tell_all
    await chat.ask("Old?")
    await chat.expect_answer(TEXT)
    listed = page.get_by_role("navigation", name="Conversations")
    await listed.get_by_text("Old?").hover()
    await chat.button("Rename Old?").click()
    await page.get_by_role("textbox", name="Title").fill("New name")
    await page.keyboard.press("Enter")
    await expect(listed.get_by_text("New name")).to_be_visible()
    await page.reload()
    await expect(listed.get_by_text("New name")).to_be_visible()


async def test_a_deleted_conversation_comes_back_by_undo(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """Deleting asks nothing beforehand, and can be taken back."""
    server.script = tell_all
    await chat.ask("Keep me?")
    await chat.expect_answer(TEXT)
    entry = page.get_by_role("link", name="Keep me?")
    await entry.hover()
    await chat.button("Delete Keep me?").click()
    await expect(entry).to_have_count(0)
    await chat.button("Undo").click()
    await entry.click()
    await expect(chat.questions).to_have_text("Keep me?")
    await chat.expect_answer(TEXT)


async def test_what_another_tab_has_let_go_for_good_is_not_offered_back(
    chat: Chat, page: Page, context: BrowserContext, server: PageServer
) -> None:
    """Opening the page forgets what was deleted; the tab that could undo it says so no longer."""
    server.script = tell_all
    await chat.ask("Forget me?")
    await chat.expect_answer(TEXT)
    await page.get_by_role("link", name="Forget me?").hover()
    await chat.button("Delete Forget me?").click()
    await expect(chat.button("Undo")).to_be_visible()
    other = await context.new_page()
    await other.goto(server.url)
    await expect(chat.button("Undo")).to_have_count(0)
