"""`tickertape stream`: the answer on stdout, all else on stderr, the truth in the exit code."""

from __future__ import annotations

import os

import pytest

from tickertape.testing.answers import Answer
from tickertape.testing.faults import EndOfFile, Faults, Stall

HELLO = Answer(text=("Hel", "lo"))


def test_the_answer_is_printed_and_nothing_else(run, provider):
    """In a pipe it is exactly the text: no newline, no colours, no notes."""
    provider.play(Answer(text=("Hel", "lo"), reasoning="hm", finish_reason="length"))
    command = run("stream", "Hi")
    assert ("Hello", "", 0) == (command.out.rest(), command.err.rest(), command.exit_code())


def test_tokens_are_written_as_they_come(run, provider):
    """The first one shows while the model is still at the second."""
    provider.play(Faults(failure=Stall(after_chunks=3)))
    command = run("stream", "Hi")
    command.out.until("tape0 prints1 ")
    assert command.process.poll() is None
    provider.next_exchange().result().resume()
    assert 0 == command.exit_code()


def test_options_reach_the_provider(run, provider):
    """Under the names that everyone uses."""
    command = run(
        "stream",
        "Hi",
        "--model",
        "x",
        "--max-tokens",
        "5",
        "--temperature",
        "0.5",
        "--system",
        "Be",
    )
    assert 0 == command.exit_code()
    body = provider.requests[0].body
    assert ("x", 5, 0.5) == (body["model"], body["max_tokens"], body["temperature"])
    assert [("system", "Be"), ("user", "Hi")] == [
        (message["role"], message["content"]) for message in body["messages"]
    ]


@pytest.mark.parametrize("arguments", [["stream"], ["stream", "-"]], ids=["nothing", "dash"])
def test_the_prompt_can_be_piped_in(run, provider, arguments):
    """To its end."""
    command = run(*arguments, stdin="Hi\nthere")
    assert 0 == command.exit_code()
    assert "Hi\nthere" == provider.requests[0].body["messages"][0]["content"]


def test_with_a_prompt_stdin_is_left_alone(run, provider):
    """It may be the rest of somebody's loop."""
    command = run("stream", "Hi", stdin="not this")
    assert 0 == command.exit_code()
    assert "Hi" == provider.requests[0].body["messages"][0]["content"]


def test_no_prompt_on_a_terminal_is_wrong_usage(run):
    """Nobody should wait before a silent program."""
    command = run("stream", terminal=["stdin"])
    assert 2 == command.exit_code()
    assert "say what to ask" in command.err.rest()


def test_p2_an_answer_that_was_cut_fails(run, provider):
    """The partial text stays on stdout; the reason is one line on stderr."""
    provider.play(Faults(failure=EndOfFile(after_chunks=3)))
    command = run("stream", "Hi")
    assert 1 == command.exit_code()
    assert "tape0 prints1 " == command.out.rest()
    error = command.err.rest()
    assert error.startswith("tickertape: truncated: ")
    assert 1 == error.count("\n")


def test_ctrl_c_stops_the_model(run, provider):
    """At once, with the code of a program that was interrupted, and without a word."""
    provider.play(Faults(failure=Stall(after_chunks=3)))
    command = run("stream", "Hi")
    command.out.until("prints1 ")
    exchange = provider.next_exchange().result()
    exchange.stalled().result()
    command.interrupt()
    assert (130, "") == (command.exit_code(), command.err.rest())
    assert 3 == exchange.hung_up().result()


def test_ctrl_c_ends_the_line_on_a_terminal(run, provider):
    """So that the shell's prompt has a line of its own."""
    provider.play(Faults(failure=Stall(after_chunks=3)))
    command = run("stream", "Hi", terminal=["stdout"])
    command.screen.until("prints1 ")
    command.interrupt()
    assert (130, "tape0 prints1 \r\n") == (command.exit_code(), command.screen.rest())


def test_ctrl_c_works_before_the_first_token(run, provider):
    """A model may think for minutes."""
    provider.play(Faults(failure=Stall()))
    command = run("stream", "Hi")
    exchange = provider.next_exchange(timeout_s=40).result()
    command.interrupt()
    assert (130, "") == (command.exit_code(), command.err.rest())
    exchange.hung_up().result()


def test_a_pipe_that_closes_ends_it_quietly(run, provider):
    """As `| head -1` does."""
    provider.play(
        Answer(words=5000),
    )
    provider.play(Faults(pace_s=0.005))
    command = run("stream", "Hi")
    command.out.until("tape0")
    command.process.stdout.close()
    assert (141, "") == (command.exit_code(), command.err.rest())


def test_on_a_terminal_the_line_is_ended(run, provider):
    """And a note says when the answer was cut by a limit."""
    provider.play(Answer(text=("Hel", "lo"), finish_reason="length"))
    command = run("stream", "Hi", terminal=["stdout", "stderr"])
    assert 0 == command.exit_code()
    text = command.screen.rest().replace("\r\n", "\n")
    assert text.startswith("Hello\n")
    assert "cut by the limit of tokens" in text


def test_thoughts_go_to_a_terminal_only(run, provider):
    """On stderr, so that stdout stays the answer's."""
    provider.play(Answer(text="Hello", reasoning="Let me see"))
    command = run("stream", "Hi", terminal=["stderr"])
    assert 0 == command.exit_code()
    assert "Hello" == command.out.rest()
    assert "Let me see" in command.screen.rest()


def test_the_model_can_not_command_the_terminal(run, provider):
    """Control sequences are left out there, and kept in a pipe."""
    provider.play(Answer(text="a\x1b]52;c;x\x07b"))
    on_terminal, piped = run("stream", "Hi", terminal=["stdout"]), run("stream", "Hi")
    assert (0, 0) == (on_terminal.exit_code(), piped.exit_code())
    assert "a]52;c;xb\r\n" == on_terminal.screen.rest()
    assert "a\x1b]52;c;x\x07b" == piped.out.rest()


def test_a_refusal_is_not_an_answer(run, provider):
    """It goes to stderr, and the exit code says that there is no answer."""
    provider.play(Answer(refusal="I won't."))
    command = run("stream", "Hi")
    assert (1, "") == (command.exit_code(), command.out.rest())
    assert "I won't." in command.err.rest()


@pytest.mark.model
def test_without_a_provider_the_embedded_model_answers(run):
    """And says so on stderr."""
    command = run(
        "stream",
        "Say hi",
        "--max-tokens",
        "4",
        unset=["OPENAI_BASE_URL", "OPENAI_API_KEY", "TICKERTAPE_MODEL"],
    )
    assert 0 == command.exit_code()
    assert command.out.rest()
    error = command.err.rest()
    assert "the embedded model answers" in error
    assert 1 == error.count(os.linesep)
