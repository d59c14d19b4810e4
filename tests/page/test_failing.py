"""Answers that fail, in a real browser: said in plain words, with a way on where there is one."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.page.chat import TEXT, Chat, tell_all
from tests.page.server import PageServer, refusal

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_p2_a_failure_keeps_the_text_and_can_be_tried_again(
    chat: Chat, server: PageServer
) -> None:
    """Half an answer stays with an honest note; trying again asks anew, with a new key."""
    run = await chat.ask()
    run.say("Half of")
    await chat.expect_text("Half of")
    run.end("failed", error="the model stopped answering", code="stalled", retryable=True)
    await chat.expect_answer("Half of", status="failed")
    await expect(chat.note).not_to_be_empty()
    server.script = tell_all
    await chat.button("Try again").click()
    await chat.expect_answer(TEXT)
    assert server.posts()[0].key != server.posts()[1].key
    assert server.posts()[0].body == server.posts()[1].body


async def test_p2_a_failure_that_would_repeat_offers_no_retry(chat: Chat) -> None:
    """Where trying again can't help, the page doesn't offer it."""
    run = await chat.ask()
    run.end(
        "failed", error="the filter refused the prompt", code="content_blocked", retryable=False
    )
    await chat.expect_status("failed")
    await expect(chat.note).not_to_be_empty()
    await expect(chat.button("Try again")).to_be_hidden()


async def test_p1_a_text_of_another_length_is_never_passed_over_in_silence(chat: Chat) -> None:
    """The server sent another number of characters than arrived: that is no completed answer."""
    run = await chat.ask()
    run.say("🧵 thread")
    run.end(length=99)
    await expect(chat.note).not_to_be_empty()
    await chat.expect_text("🧵 thread")
    await expect(chat.answers.last).not_to_have_attribute("data-status", "completed")


async def test_a_run_that_the_server_has_forgotten_is_said_to_be(
    chat: Chat, server: PageServer
) -> None:
    """A trimmed run's text stays as it is, with an honest word and a way on."""
    run = await chat.ask()
    run.say("Before")
    await chat.expect_text("Before")
    server.refusals.append(refusal(410, "run_trimmed", "no longer kept"))
    run.cut_now()
    await expect(chat.note).not_to_be_empty()
    await chat.expect_text("Before")
    await expect(chat.button("Try again")).to_be_visible()


@pytest.mark.parametrize(("status", "code"), [(400, "invalid_request"), (413, "too_large")])
async def test_a_question_that_is_refused_says_why_and_is_not_repeated(
    chat: Chat, server: PageServer, status: int, code: str
) -> None:
    """What the server has against it is shown; the next question is sent without it."""
    server.refusals.append(refusal(status, code, "the question is too long", Retry_After="1"))
    await chat.textbox.fill("Long?")
    await chat.textbox.press("Enter")
    await chat.expect_status("failed")
    await expect(chat.note).to_contain_text("is too long")
    await expect(chat.button("Try again")).to_be_hidden()
    run = await chat.ask("Short?")
    run.end()
    assert [{"role": "user", "content": "Short?"}] == server.posts()[-1].body["messages"]
    assert 2 == len(server.posts())


async def test_p7_a_busy_server_is_asked_again_when_it_says_with_the_same_key(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """Retry-After is kept to, whoever comes back, and the start is the same start."""
    await page.clock.install()
    server.refusals.append(refusal(503, "busy", "no room", Retry_After="60"))
    server.script = tell_all
    await chat.textbox.fill("Now?")
    await chat.textbox.press("Enter")
    await expect(chat.notice).to_contain_text("busy")
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await page.clock.run_for(40_000)
    assert 1 == len(server.posts())
    await page.clock.run_for(21_000)
    await server.until(lambda server: len(server.posts()) == 2)
    await page.clock.run_for(1_000)
    await chat.expect_answer(TEXT)
    assert server.posts()[0].key == server.posts()[1].key
    assert server.posts()[0].body == server.posts()[1].body
