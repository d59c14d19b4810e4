"""`tickertape faults`: a provider that misbehaves, from a terminal."""

from __future__ import annotations

import re
import signal
import socket

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.testing.fault_catalog import ENTRIES, fault_catalog
from tickertape.testing.scenarios import Scenario

PROVIDER = ("OPENAI_BASE_URL", "OPENAI_API_KEY")


@pytest.fixture
def serve(run):
    """Serve faults, and wait until they can be had."""

    def start(*arguments):
        command = run("faults", "--port", "0", *arguments, unset=PROVIDER)
        command.out.until("Ctrl-C stops it.")
        return command

    return start


def exported(faults):
    """Return the variables that it says to export."""
    return dict(re.findall(r"(\w+)=(\S+)", faults.out.text))


@pytest.fixture
def ask(run, environment):
    """Ask the faults with our own command, as its exports say; return the exit code."""

    def stream(faults, model):
        environment.update(exported(faults))
        command = run("stream", "Hi", "--model", model)
        command.out.rest()
        return command.exit_code()

    return stream


@pytest.mark.parametrize("provider_name", ["openai", "azure"])
def test_the_models_name_picks_the_fault(serve, ask, provider_name):
    """For clients of either kind, with what it says to export."""
    faults = serve()
    assert 1 == ask(faults, f"{provider_name}/truncated")
    assert 0 == ask(faults, f"{provider_name}/anything")


def test_any_key_will_do(serve, run, environment):
    """An application is tried with the key that it has."""
    environment |= exported(serve()) | {"OPENAI_API_KEY": "mine"}
    assert 0 == run("stream", "Hi", "--model", "openai/anything").exit_code()


def test_it_tells_what_its_clients_did(serve, ask):
    """One line when a request comes, one when it is over."""
    faults = serve()
    ask(faults, "openai/truncated")
    text = faults.out.until("cut, as it should be")
    assert "   1  POST /v1/chat/completions  truncated\n" in text
    assert "   1  status 200, 5 chunks; cut" in text


def test_a_client_that_hangs_up_is_told(serve, run, environment):
    """Whether a stop button stops the provider can be seen here."""
    faults = serve("--fault", "stall")
    environment.update(exported(faults))
    command = run("stream", "Hi", "--model", "any")
    command.out.until("tape0")
    command.interrupt()
    assert 130 == command.exit_code()
    faults.out.until("5 chunks; the client hung up")


def test_a_scenario_can_be_read_from_a_file(serve, ask, tmp_path):
    """It takes the catalog's place."""
    path = tmp_path / "scenario.json"
    path.write_text('{"turns": [{"faults": {"failure": {"type": "rejection", "status": 400}}}]}')
    faults = serve("--scenario", str(path))
    assert 1 == ask(faults, "anything")
    faults.out.until("status 400")


def test_the_faults_can_be_listed(run):
    """Each with its meaning."""
    command = run("faults", "--list")
    assert 0 == command.exit_code()
    lines = command.out.rest().splitlines()
    assert [(entry.name, entry.meaning) for entry in ENTRIES] == [
        tuple(line.split(maxsplit=1)) for line in lines
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_told(serve, run, environment, number):
    """With success, also while a client waits."""
    faults = serve()
    environment.update(exported(faults))
    run("stream", "Hi", "--model", "openai/silent")
    faults.out.until("silent\n", after=len(faults.out.text))
    faults.process.send_signal(number)
    assert (0, "") == (faults.exit_code(), faults.err.rest())
    assert "   1  nothing of the answer; stopped with this server" in faults.out.rest()


def test_a_port_in_use_is_named(run):
    """In one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = run("faults", "--port", str(port))
        assert 1 == command.exit_code()
    error = command.err.rest()
    assert str(port) in error
    assert 1 == error.count("\n")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--fault", "flood"], 1, "there is no fault 'flood'"),
        (["--scenario", "absent.json"], 1, "absent.json"),
        (["--fault", "stall", "--scenario", "x.json"], 2, "exclude each other"),
    ],
)
def test_what_can_not_be_served_is_told(run, arguments, code, told):
    """Before it listens."""
    command = run("faults", *arguments)
    assert (code, "") == (command.exit_code(), command.out.rest())
    assert told in command.err.rest()


def test_one_fault_is_for_every_model():
    """The catalog's own turns; without a choice it is the catalog itself."""
    from tickertape.cli.faults import scenario_to_play

    assert fault_catalog() == scenario_to_play(None, None)
    turns = fault_catalog().models["rate-limited-once"]
    assert Scenario(turns=turns) == scenario_to_play(None, "rate-limited-once")
    with pytest.raises(ConfigurationError, match="--list"):
        scenario_to_play(None, "flood")
