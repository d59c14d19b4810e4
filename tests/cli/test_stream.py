"""`tickertape stream`: the answer on stdout, all else on stderr, the truth in the exit code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tickertape.testing.answers import Answer
from tickertape.testing.faults import EndOfFile, Faults, Rejection, Stall

EXAMPLES = Path(__file__).parents[2] / "examples" / "recordings"
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


def test_an_answer_can_be_recorded_and_replayed(run, provider, tmp_path):
    """The recording is silent; its replay needs no provider, and is the same."""
    path = tmp_path / "x.jsonl"
    provider.play(Answer(text=("Hel", "lo")))
    recorded = run("stream", "my question", "--record", str(path))
    assert (0, "Hello", "") == (recorded.exit_code(), recorded.out.rest(), recorded.err.rest())
    assert "my question" not in path.read_text()
    replayed = run("stream", "another", "--model", f"replay/{path}")
    assert (0, "Hello", "") == (replayed.exit_code(), replayed.out.rest(), replayed.err.rest())
    assert 1 == len(provider.requests)


@pytest.mark.model
def test_a_replay_is_not_announced_as_the_embedded_model(run):
    """Where no provider is configured, the recording was asked for all the same."""
    command = run(
        "stream",
        "Hi",
        "--model",
        f"replay/{EXAMPLES / 'hello.jsonl'}",
        unset=["OPENAI_BASE_URL", "OPENAI_API_KEY", "TICKERTAPE_MODEL"],
    )
    assert (0, "") == (command.exit_code(), command.err.rest())
    assert "Hello, welcome to my blog!" == command.out.rest()


def test_the_prompt_can_be_recorded_too(run, provider, tmp_path):
    """Where that is asked for."""
    path = tmp_path / "x.jsonl"
    assert 0 == run("stream", "my question", "--record", str(path), "--record-prompt").exit_code()
    assert "my question" in path.read_text()


def test_a_recording_is_not_overwritten_unless_told(run, provider, tmp_path):
    """Nothing is asked before that is clear; a replay may be recorded over itself."""
    path = tmp_path / "x.jsonl"
    provider.play(Answer(text="Hello"))
    assert 0 == run("stream", "Hi", "--record", str(path)).exit_code()
    recorded = path.read_text()
    refused = run("stream", "Hi", "--record", str(path))
    assert 2 == refused.exit_code()
    assert "--force" in refused.err.rest()
    assert (recorded, 1) == (path.read_text(), len(provider.requests))
    arguments = ["--model", f"replay/{path}", "--record", str(path), "--force"]
    forced = run("stream", "Hi", *arguments)
    assert (0, "Hello") == (forced.exit_code(), forced.out.rest())
    assert '"provider":"replay"' in path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_options_of_a_recording_need_one(run):
    """They would mean nothing."""
    command = run("stream", "Hi", "--force")
    assert 2 == command.exit_code()
    assert "needs a file" in command.err.rest()


def test_each_attempt_is_recorded(run, provider, tmp_path):
    """And where the answer is, is said: it is not in the file that was named."""
    path = tmp_path / "x.jsonl"
    provider.play(
        Faults(failure=Rejection(status=429, retry_after_ms=10)), Answer(text=("Hel", "lo"))
    )
    command = run("stream", "Hi", "--record", str(path))
    assert (0, "Hello") == (command.exit_code(), command.out.rest())
    second = tmp_path / "x.2.jsonl"
    assert f"tickertape: recorded to {path}, {second}\n" == command.err.rest()
    assert '"end":"refused"' in path.read_text()
    assert "Hel" in second.read_text()


def test_an_answer_that_was_stopped_is_recorded_so_far(run, provider, tmp_path):
    """Ctrl-C ends the recording in order; its replay is no whole answer."""
    path = tmp_path / "x.jsonl"
    provider.play(Faults(failure=Stall(after_chunks=3)))
    command = run("stream", "Hi", "--record", str(path))
    command.out.until("prints1 ")
    command.interrupt()
    assert 130 == command.exit_code()
    assert path.read_text().splitlines()[-1].endswith('"end":"closed"}')
    replayed = run("stream", "Hi", "--model", f"replay/{path}")
    assert (1, "tape0 prints1 ") == (replayed.exit_code(), replayed.out.rest())
    assert "truncated" in replayed.err.rest()
