"""A real redis-server for tests: on a free port, in a folder of its own, ended by its handle."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")
PATIENCE_S = 10.0


def require_redis():
    """Skip where no server is installed; where CI=true, fail."""
    if BINARY is None:
        message = "redis-server is not installed (apt install redis-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """One server. Use as `with`; `options` are those of its command line."""

    def __init__(self, folder, *options, port=None):
        require_redis()
        self.folder = folder
        self.port = port or free_port()
        self.options = options
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        self.folder.mkdir(exist_ok=True, parents=True)
        command = [
            BINARY,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
            *("--dir", str(self.folder), "--appendonly", "no", "--appendfsync", "always"),
            *self.options,
        ]
        with (self.folder / "log").open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        give_up_s = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < give_up_s
        return self

    def kill(self):
        """End it as a power failure would."""
        if self.process is not None:
            self.signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def command(self, *words):
        """Run a command by itself, and return the first bytes of the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as wire:
            parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            packed = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
            wire.sendall(b"*%d\r\n%b" % (len(parts), packed))
            return wire.recv(65536)

    def _answers(self):
        try:
            # Anything that is an answer: it may want a password, or be loading.
            said = self.command("PING")
        except OSError:
            time.sleep(0.005)
            return False
        return bool(said) and not said.startswith(b"-LOADING")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
