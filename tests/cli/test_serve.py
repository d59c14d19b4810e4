"""`tickertape serve`: says where and what it serves, and stops when told."""

from __future__ import annotations

import gc
import json
import re
import signal
import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tickertape.client.reader import start_run
from tickertape.core.request import ChatRequest, Message
from tickertape.testing.answers import Answer

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])


@pytest.fixture
def server(run):
    """A running server, ready."""
    command = run("serve", "--port", "0")
    command.out.until("Ctrl-C stops it")
    return command


def url_of(server):
    return next(re.finditer(r"http://\S+", server.out.text))[0]


def test_it_says_where_and_what_it_serves(server, provider):
    """The URL, the models and the log."""
    text = server.out.text
    assert provider.openai_base_url in text
    assert "log" in text
    assert url_of(server).startswith("http://127.0.0.1:")


def test_it_serves(server, provider):
    """A reader of ours gets the provider's answer through it."""
    provider.play(Answer(text="Hello"))
    assert "Hello" == "".join(start_run(url_of(server), REQUEST))
    gc.collect()  # a connection that was left open would be found here


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_told(server, number):
    """With success."""
    server.process.send_signal(number)
    assert (0, "") == (server.exit_code(), server.err.rest())


def test_the_model_is_an_option(run, provider):
    """It answers when a request names none."""
    server = run("serve", "--port", "0", "--model", "chosen")
    server.out.until("Ctrl-C stops it")
    "".join(start_run(url_of(server), REQUEST))
    assert "chosen" == provider.requests[0].body["model"]


def test_a_port_in_use_is_named(run):
    """With the way out, in one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = run("serve", "--port", str(port))
        assert 1 == command.exit_code()
    error = command.err.rest()
    assert str(port) in error
    assert "--port 0" in error
    assert 1 == error.count("\n")


def test_the_log_is_an_option(run, tmp_path):
    """It is named at the start; a second server on the same file is told the way out."""
    path = tmp_path / "runs.db"
    server = run("serve", "--port", "0", "--log", f"sqlite:{path}")
    server.out.until("Ctrl-C stops it")
    assert f"log    {path}: runs are kept for 24 hours" in server.out.text
    second = run("serve", "--port", "0", "--log", f"sqlite:{path}")
    assert 1 == second.exit_code()
    assert f"tickertape: the log '{path}' is in use" in second.err.rest()


def test_the_log_may_be_in_memory(run):
    """And says what that means."""
    server = run("serve", "--port", "0", "--log", "memory")
    server.out.until("Ctrl-C stops it")
    assert "log    in memory: runs are kept for an hour while the server runs" in server.out.text


def test_an_unknown_log_is_named(run):
    """With the forms that there are, in one line."""
    command = run("serve", "--log", "postgres")
    assert 1 == command.exit_code()
    assert "there is no log 'postgres'; use memory, sqlite, sqlite:PATH" in command.err.rest()


def test_the_log_may_come_from_the_environment(run, environment):
    """Where a password is better than in a command line; an option counts more."""
    environment["TICKERTAPE_LOG"] = "redis://:secret@127.0.0.1:x"
    command = run("serve")
    assert 1 == command.exit_code()
    assert "'redis://***@127.0.0.1:***' must have a number" in command.err.rest()
    assert "secret" not in command.err.text
    server = run("serve", "--port", "0", "--log", "memory", "--retention-s", "90")
    server.out.until("Ctrl-C stops it")
    assert "runs are kept for 90 seconds" in server.out.text


def test_a_setting_that_makes_no_sense_is_named(run):
    """With what is allowed and why, in one line."""
    command = run("serve", "--lease-term-s", "0.5")
    assert 1 == command.exit_code()
    assert "lease_term_s must be from 1 to 60 seconds, not 0.5: with less," in command.err.rest()
    assert 1 == command.err.text.count("\n")


def test_it_breaks_answers_on_command_only_when_told_to(run, server):
    """In development, with a warning, and models that misbehave; never by default."""
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{url_of(server)}/faults")
    refused.value.close()
    assert 404 == refused.value.code
    breakable = run("serve", "--port", "0", "--log", "memory", "--break-it")
    breakable.out.until("Ctrl-C stops it")
    assert "For development only" in breakable.out.text
    with urlopen(f"{url_of(breakable)}/faults") as response:
        assert "cut" in [action["name"] for action in json.load(response)["actions"]]
    with urlopen(f"{url_of(breakable)}/models") as response:
        models = json.load(response)
    assert "openai/m" == models["default"]
    assert "faults/stall" in models["models"]
    question = ChatRequest(messages=REQUEST.messages, model="faults/no-usage")
    assert "tape0 " in "".join(start_run(url_of(breakable), question))


def test_several_workers_can_not_be_broken_on_command(run):
    """Only one of them could do it; the way out is in the message."""
    command = run("serve", "--break-it", "--workers", "2", "--log", "redis://127.0.0.1:1")
    assert 1 == command.exit_code()
    assert "use one worker" in command.err.rest()
