"""Runs the real command, in a pipe or on a pseudo-terminal, against a scripted provider."""

from __future__ import annotations

import errno
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from tickertape.testing.fault_server import FaultServer

TIMEOUT_S = 40.0
CONFIGURATION = ("AZURE_", "OPENAI_", "TICKERTAPE_")
# They would hide what is not flushed, or add to stderr.
INTERPRETER = {"PYTHONUNBUFFERED", "PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONWARNINGS"}


class Output:
    """What a process writes, read until something expected has come."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self.text = ""

    def until(self, expected, *, after=0):
        """Read until `expected` comes after a place in the text; return the text from there."""
        assert self.comes(expected, after=after, within_s=TIMEOUT_S), (expected, self.text)
        return self.text[after:]

    def comes(self, expected, *, after, within_s):
        """Read until `expected` comes, and tell whether it came in time, before the end."""
        deadline = time.monotonic() + within_s
        while expected not in self.text[after:]:
            left_s = max(0, deadline - time.monotonic())
            if not select.select([self._descriptor], [], [], left_s)[0] or not self._read():
                return False
        return True

    def rest(self):
        """Read to the end."""
        while self._read():
            pass
        return self.text

    def _read(self):
        try:
            data = os.read(self._descriptor, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # how a pseudo-terminal says end of file
                raise
            data = b""
        self.text += data.decode()
        return data


class Command:
    """A running `tickertape`. stdin, stdout and stderr are pipes, or one terminal."""

    def __init__(self, arguments, *, environment, terminal=(), stdin=None):
        self.master = slave = None
        if terminal:
            self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-m", "tickertape", *arguments],
            env=environment,
            stdin=slave if "stdin" in terminal else subprocess.PIPE,
            stdout=slave if "stdout" in terminal else subprocess.PIPE,
            stderr=slave if "stderr" in terminal else subprocess.PIPE,
        )
        if slave is not None:
            os.close(slave)
            self.screen = Output(self.master)
        if self.process.stdin is not None:
            if stdin is not None:
                self.process.stdin.write(stdin.encode())
            self.process.stdin.close()
        if self.process.stdout is not None:
            self.out = Output(self.process.stdout.fileno())
        if self.process.stderr is not None:
            self.err = Output(self.process.stderr.fileno())

    def type(self, text):
        """Type on the terminal."""
        assert self.master is not None
        os.write(self.master, text.encode())

    def interrupt(self):
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def exit_code(self):
        """Wait for the end."""
        return self.process.wait(TIMEOUT_S)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if self.master is not None:
            os.close(self.master)


@pytest.fixture
def provider():
    """The scripted provider, on loopback."""
    with FaultServer.in_thread() as server:
        yield server


@pytest.fixture
def environment(provider, tmp_path):
    """Variables that name the scripted provider and nothing else."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(CONFIGURATION) and name not in INTERPRETER
    }
    kept |= {"TERM": "xterm", "COLUMNS": "80", "LINES": "24", "NO_COLOR": "1"}
    kept |= {"XDG_STATE_HOME": str(tmp_path)}  # the log's default place
    return {**kept, **provider.openai_environment, "TICKERTAPE_MODEL": "m"}


@pytest.fixture
def run(environment):
    """Start the command with arguments, and end it with the test."""
    commands = []

    def start(*arguments, unset=(), **settings):
        given = {name: value for name, value in environment.items() if name not in unset}
        command = Command(arguments, environment=given, **settings)
        commands.append(command)
        return command

    yield start
    for command in commands:
        command.close()
