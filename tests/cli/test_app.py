"""The commands there are, and wrong usage."""

from __future__ import annotations

import pytest


def test_help_names_every_command(run):
    """A newcomer's first call."""
    command = run("--help")
    assert 0 == command.exit_code()
    text = command.out.rest()
    assert [] == [
        name for name in ["serve", "stream", "chat", "tail", "faults"] if name not in text
    ]


@pytest.mark.parametrize("name", ["serve", "stream", "chat", "tail", "faults"])
def test_every_command_has_help(run, name):
    """Its options, without loading what it needs."""
    command = run(name, "--help")
    assert 0 == command.exit_code()
    assert "--" in command.out.rest()


@pytest.mark.parametrize(
    "arguments",
    [
        ["dance"],
        ["stream", ""],
        ["stream", "Hi", "--temperature", "3"],
        ["stream", "Hi", "--max-tokens", "0"],
        ["tail"],
        ["serve", "--port", "70000"],
        ["faults", "--port", "70000"],
    ],
)
def test_wrong_usage_exits_with_2(run, arguments):
    """And says what is wrong on stderr."""
    command = run(*arguments)
    assert (2, "") == (command.exit_code(), command.out.rest())
    assert "Usage" in command.err.rest()
