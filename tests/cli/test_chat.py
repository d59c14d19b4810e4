"""`tickertape chat`: a conversation on a terminal, which survives its answers."""

from __future__ import annotations

import pytest

from tickertape.testing.answers import Answer
from tickertape.testing.faults import Faults, Rejection, Stall
from tickertape.testing.scenarios import Turn

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
    assert "First." in command.out.rest()
