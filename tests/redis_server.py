"""A real Redis, started for one test on a free port, and stopped by it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time

import pytest

STARTS_WITHIN_S = 20.0


class RedisServer:
    """A running Redis that keeps nothing on the disk. `url` is its address."""

    def __init__(self, process, port):
        self.process = process
        self.url = f"redis://127.0.0.1:{port}"

    def kill(self):
        """Take it away, as a crash of its machine would."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis_server(tmp_path):
    """A Redis of the test's own."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    server = RedisServer(process, port)
    try:
        _wait_until_it_listens(process, port)
        yield server
    finally:
        server.kill()


def _wait_until_it_listens(process, port):
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        assert process.poll() is None, "redis-server ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "redis-server does not listen"
        else:
            return
