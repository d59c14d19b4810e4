"""An answer that goes well, in a real browser: word by word, to the letter, and said aloud once."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.page.chat import TEXT, WORDS, Chat, tell_all
from tests.page.server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_an_answer_appears_word_by_word(chat: Chat) -> None:
    """Each word is on the page before the next one is written, and the end ends it."""
    run = await chat.ask()
    await chat.expect_status("waiting")
    told = ""
    for word in WORDS:
        run.say(word)
        told += word
        await chat.expect_text(told)
        await chat.expect_status("streaming")
    run.end()
    await chat.expect_answer(TEXT)
    await expect(chat.button("Send")).to_be_visible()
    await expect(chat.note).to_have_count(0)


async def test_the_question_is_sent_with_what_was_said_before(
    chat: Chat, server: PageServer
) -> None:
    """The second request bears the whole conversation, and a key of its own."""
    server.script = tell_all
    await chat.ask("One?")
    await chat.expect_answer(TEXT)
    await chat.ask("Two?")
    await expect(chat.answers).to_have_count(2)
    await chat.expect_answer(TEXT)
    said = [("user", "One?"), ("assistant", TEXT), ("user", "Two?")]
    messages = [{"role": role, "content": content} for role, content in said]
    assert messages == server.posts()[1].body["messages"]
    assert server.posts()[0].key != server.posts()[1].key


async def test_the_model_that_was_picked_is_asked(
    chat: Chat, page: Page, server: PageServer
) -> None:
    """The default is offered first; another is sent with the question, and kept."""
    server.script = tell_all
    await expect(page.get_by_role("combobox", name="Model")).to_have_value("test/parrot")
    await page.get_by_role("combobox", name="Model").select_option("test/crow")
    await chat.ask()
    await chat.expect_answer(TEXT)
    assert "test/crow" == server.posts()[0].body["model"]
    await page.reload()
    await expect(page.get_by_role("combobox", name="Model")).to_have_value("test/crow")


async def test_other_choices_and_unknown_payloads_are_left_out(chat: Chat) -> None:
    """Only the first choice's text is shown; the length counts all of them."""
    run = await chat.ask()
    run.emit({"reasoning": "Hm."})
    await chat.expect_status("waiting")
    run.say("One")
    run.emit({"content": "Zwei 🧵", "choice": 1})
    run.emit({"usage": {"output_tokens": 3}})
    run.emit({"tool_call": {"index": 0, "arguments": "{}"}})
    run.emit({"something": {"new": True}})
    run.emit({"choice": 0, "finish_reason": "stop"})
    run.end(length=len("One") + len("Zwei 🧵"))
    await chat.expect_answer("One")
    await expect(chat.note).to_have_count(0)


async def test_a_refusal_is_shown_as_the_answer(chat: Chat) -> None:
    """A model that refuses has its words shown."""
    run = await chat.ask()
    run.emit({"refusal": "I will not."})
    run.end(length=0)
    await chat.expect_answer("I will not.")


async def test_an_answer_cut_by_its_length_limit_says_so(chat: Chat) -> None:
    """A finish reason other than stop is put into words."""
    run = await chat.ask()
    run.say("Once upon")
    run.end(finish_reason="length")
    await chat.expect_answer("Once upon")
    await expect(chat.note).to_contain_text(re.compile("limit", re.IGNORECASE))
