"""Stop, in a real browser: the server's run ends, the text so far stays, and the page says so."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.page.chat import Chat
from tests.page.server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_p4_stop_cancels_the_run_and_keeps_the_text(chat: Chat, page: Page) -> None:
    """Stop deletes the run; what had arrived stays, and the page says that it was stopped."""
    run = await chat.ask()
    run.say("As far as")
    await chat.expect_text("As far as")
    await chat.button("Stop").click()
    await chat.expect_answer("As far as", status="cancelled")
    await expect(chat.note).to_contain_text(re.compile("stopped", re.IGNORECASE))
    assert run.is_cancelled
    await page.reload()
    await chat.expect_answer("As far as", status="cancelled")


async def test_p4_stop_waits_for_the_servers_word(chat: Chat, server: PageServer) -> None:
    """Text that was written before the stop took effect is part of the answer."""
    run = await chat.ask()
    run.holds_cancel = True
    run.say("As far")
    await chat.expect_text("As far")
    await chat.button("Stop").click()
    await server.until(lambda server: run.is_cancelled)
    await chat.expect_status("stopping")
    run.say(" as that")
    run.end("cancelled", cancelled_by="user")
    await chat.expect_answer("As far as that", status="cancelled")


async def test_p4_stop_before_the_run_is_known_cancels_it_once_it_is(
    chat: Chat, server: PageServer
) -> None:
    """A stop while the server's headers are outstanding is not forgotten."""
    server.headers_gate.clear()
    run = await chat.ask()
    await chat.button("Stop").click()
    await chat.expect_status("stopping")
    server.headers_gate.set()
    await chat.expect_status("cancelled")
    assert run.is_cancelled


async def test_p4_stop_while_the_connection_is_broken_deletes_once(
    chat: Chat, server: PageServer
) -> None:
    """A stop that the server has heard is not sent with every new connection."""
    run = await chat.ask()
    run.holds_cancel = True
    run.say("As far")
    await chat.expect_text("As far")
    await chat.button("Stop").click()
    await server.until(lambda server: run.is_cancelled)
    run.cut_now()
    await server.until(lambda server: server.asked[-1].method == "GET")
    run.end("cancelled", cancelled_by="user")
    await chat.expect_answer("As far", status="cancelled")
    assert 1 == len([asked for asked in server.asked if asked.method == "DELETE"])


async def test_p4_stop_after_a_reload_stops_the_same_run(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """A page that has come back to a run can stop it as the one that started it could."""
    run = await chat.ask()
    run.say("As far as")
    await chat.expect_text("As far as")
    await page.reload()
    await chat.expect_text("As far as")
    await chat.button("Stop").click()
    await chat.expect_answer("As far as", status="cancelled")
    assert run.is_cancelled
    assert 1 == len(server.posts())


async def test_a_double_click_on_send_stops_nothing(chat: Chat, server: PageServer) -> None:
    """The button turns into Stop under the second click, which does not count."""
    await chat.textbox.fill("Now?")
    await chat.button("Send").dblclick()
    run = await server.run()
    run.end()
    await chat.expect_status("completed")
    assert not run.is_cancelled


async def test_an_answer_that_was_stopped_can_be_asked_for_again(
    chat: Chat, server: PageServer
) -> None:
    """Another answer takes the stopped one's place, for the same question."""
    run = await chat.ask()
    run.say("No")
    await chat.expect_text("No")
    await chat.button("Stop").click()
    await chat.expect_status("cancelled")
    await chat.button("Try again").click()
    again = await server.run(1)
    again.say("Yes")
    again.end()
    await chat.expect_answer("Yes")
    assert server.posts()[0].body == server.posts()[1].body
    assert server.posts()[0].key != server.posts()[1].key
