"""`tickertape chat`: a conversation on a terminal, which survives its answers."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tickertape.cli import chat as chat_command
from tickertape.client.chat import async_stream_chat
from tickertape.providers.catalog import Catalog
from tickertape.testing.answers import Answer
from tickertape.testing.faults import Faults, Rejection, Stall
from tickertape.testing.scenarios import Turn
from tickertape.testing.scripted import ScriptedProvider

SHOW_CURSOR = "\x1b[?25h"
"""Comes when what was shown on the way is taken back."""
TERMINAL = ["stdin", "stdout", "stderr"]


@pytest.fixture
def chat(run):
    """A conversation that waits for the first question."""
    command = run("chat", "--system", "Be brief", terminal=TERMINAL)
    command.screen.until("> ")
    return command


def ask(chat, question, expected):
    """Ask, and wait for the answer and the next prompt."""
    before = len(chat.screen.text)
    chat.type(f"{question}\n")
    chat.screen.until(expected, after=before)
    return chat.screen.until("\n> ", after=before)


def said(request):
    """Return what a request says, role by role."""
    return [(message["role"], message["content"]) for message in request.body["messages"]]


def test_it_keeps_the_conversation(chat, provider):
    """Each question goes with all that was said before."""
    provider.play(Answer(text="First."), Answer(text="Second."))
    ask(chat, "One?", "First.")
    ask(chat, "Two?", "Second.")
    assert [
        ("system", "Be brief"),
        ("user", "One?"),
        ("assistant", "First."),
        ("user", "Two?"),
    ] == said(provider.requests[1])


@pytest.mark.parametrize("way_out", ["/exit\n", "\x04"], ids=["exit", "Ctrl-D"])
def test_it_can_be_left(chat, way_out):
    """With success."""
    chat.type(way_out)
    chat.screen.rest()
    assert 0 == chat.exit_code()


def test_ctrl_c_stops_the_answer_and_not_the_program(chat, provider):
    """What had come stays, on the screen and in the conversation."""
    provider.play(Faults(failure=Stall(after_chunks=3)), Answer(text="Second."))
    chat.type("One?\n")
    exchange = provider.next_exchange().result()
    exchange.stalled().result()
    chat.screen.until("prints1")
    chat.interrupt()
    chat.screen.until("(stopped)")
    chat.screen.until("\n> ", after=chat.screen.text.index("(stopped)"))
    exchange.hung_up().result()
    ask(chat, "Two?", "Second.")
    assert ("assistant", "tape0 prints1 ") in said(provider.requests[1])


def test_ctrl_c_at_the_prompt_only_begins_a_new_line(chat, provider):
    """The conversation goes on."""
    provider.play(Answer(text="First."))
    before = len(chat.screen.text)
    chat.interrupt()
    # Again and again: between its prompt and its wait the line editor is deaf to signals.
    while not chat.screen.comes("\n> ", after=before, within_s=0.5):
        chat.interrupt()
    ask(chat, "One?", "First.")


def test_an_error_is_told_in_plain_words_and_the_conversation_goes_on(chat, provider):
    """A question that got no answer is as if it had not been asked."""
    provider.play(Turn(faults=Faults(failure=Rejection(status=401))), Answer(text="Second."))
    text = ask(chat, "One?", "provider_rejected")
    assert "Traceback" not in text
    ask(chat, "Two?", "Second.")
    assert [("system", "Be brief"), ("user", "Two?")] == said(provider.requests[-1])


def test_an_answer_shows_while_it_comes(chat, provider):
    """Before its end, and the rest of it with the end."""
    provider.play(Faults(failure=Stall(after_chunks=3)))
    chat.type("One?\n")
    chat.screen.until("prints1")
    provider.next_exchange().result().resume()
    chat.screen.until("word23")


def test_thoughts_show_until_the_answer_begins(chat, provider):
    """They are not part of it."""
    provider.play(
        Turn(
            answer=Answer(text="Hello", reasoning=("Let me", " see")),
            faults=Faults(failure=Stall(after_chunks=3)),
        )
    )
    chat.type("One?\n")
    chat.screen.until("Let me see")
    provider.next_exchange().result().resume()
    text = chat.screen.until("Hello")
    text = chat.screen.until("\n> ", after=text.index("Let me see"))
    kept = text.rpartition(SHOW_CURSOR)[2]
    assert "Hello" in kept
    assert "Let me see" not in kept


def test_markdown_is_laid_out(chat, provider):
    """The marks are gone, the text is there, once."""
    provider.play(Answer(text="A **bold** word"))
    text = ask(chat, "One?", "bold")
    assert "**" not in text


def test_a_conversation_can_be_piped_in(run, provider):
    """It ends with its input."""
    provider.play(Answer(text="First."))
    command = run("chat", stdin="One?\n")
    assert 0 == command.exit_code()
    text = command.out.rest()
    assert 1 == text.count("First.")
    assert "\x1b" not in text


@pytest.mark.parametrize("is_terminal", [False, True])
async def test_only_a_terminal_has_a_display_buffer(monkeypatch, is_terminal):
    """A pipe's reader is a program."""
    shown = []

    async def show_evenly(stream, screen):
        shown.append([text async for text in stream])

    monkeypatch.setattr(chat_command, "show_evenly", show_evenly)
    provider = ScriptedProvider()
    provider.stream.finish("Hello")
    stream = async_stream_chat(
        [{"role": "user", "content": "Hi"}],
        "m",
        catalog=Catalog({"scripted": provider}, default="scripted"),
    )
    console = Console(file=io.StringIO(), force_terminal=is_terminal)
    await chat_command._show(stream, console)
    assert ([["Hello"]] if is_terminal else []) == shown
    assert "Hello" == stream.response.content
