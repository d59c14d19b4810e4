"""A Redis server of the benchmark's own, on loopback, with its files in a folder that goes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

PROGRAM: Final = shutil.which("redis-server")

_START_TIMEOUT_S: Final = 10.0
_STOP_TIMEOUT_S: Final = 5.0


@contextmanager
def running(*, core: int | None = None, keeps_file: bool) -> Iterator[tuple[int, int]]:
    """Run it, on one core if that is given; yield its process id and port.

    `keeps_file`: with an append-only file that is synced every second; else with no
    persistence at all.
    """
    assert PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with TemporaryDirectory(prefix="tickertape-redis-") as folder:
        options = ["--save", "", "--appendonly", "yes" if keeps_file else "no"]
        place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        process = subprocess.Popen(
            [PROGRAM, *place, *options, "--appendfsync", "everysec", "--loglevel", "warning"],
            stdout=subprocess.DEVNULL,
        )
        try:
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            _wait_for(process, port)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait(_STOP_TIMEOUT_S)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(64).startswith(b"+PONG"):
                    return
        except ConnectionError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"redis-server did not start; its status is {process.returncode}")
