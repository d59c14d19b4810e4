"""The servers' processes: starting them, ending them, and what the kernel says of one."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.rig.places import Place, place
from benchmarks.servers import nginx
from benchmarks.servers.serve import serve

_LATENCY: Final = Path("/dev/cpu_dma_latency")
_START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 5.0


@contextmanager
def cores_awake() -> Iterator[bool]:
    """Keep idle cores from halting, where that is allowed; yield whether it is.

    On a virtual machine, halting and waking go through the hypervisor, at some
    20 µs each time, charged to the server: more than all that it does for a token.
    """
    try:
        request = _LATENCY.open("wb", buffering=0)
    except OSError:
        yield False
        return
    with request:  # the kernel honours it while it is open (PM Quality Of Service)
        request.write((0).to_bytes(4, "little"))
        yield True


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test."""

    name: str
    pid: int
    port: int
    path: str
    database_pid: int | None = None
    """The process of the database that its log is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process has used so far."""

    cpu_s: float
    waited_s: float
    """How long its main thread could have run but had to wait for its core."""
    reads: int
    """Calls of read(2). The kernel does not count recv(2) here, which nginx uses."""
    writes: int
    """Calls of write(2) and writev(2)."""
    resident_kib: float


def cpu_s(pid: int | None) -> float:
    """Return how much CPU the process has used so far; none if there is no such process."""
    # clock_getcpuclockid(3): all its threads, in nanoseconds; /proc/PID/stat counts 10 ms.
    return 0.0 if pid is None else time.clock_gettime(~pid << 3 | 2)


def usage(pid: int) -> Usage:
    """Return what the process has used so far."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    counts = dict(line.split(": ") for line in lines)
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Usage(
        cpu_s=cpu_s(pid),
        waited_s=int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9,
        reads=int(counts["syscr"]),
        writes=int(counts["syscw"]),
        resident_kib=pages * os.sysconf("SC_PAGESIZE") / 1024,
    )


def start(name: str, *, provider_port: int, core: int) -> AbstractContextManager[Server]:
    """Run the server of that name on one core, and with it the database that its log needs."""
    if name == "nginx":
        return _nginx(name, provider_port=provider_port, core=core)
    if name.startswith("ours"):
        return _ours(name, provider_port=provider_port, core=core)
    return _application(name, name, {}, provider_port=provider_port, core=core)


def start_ours(
    name: str, kept: Place, *, provider_port: int, core: int
) -> AbstractContextManager[Server]:
    """Run ours with its log in that place, which others may use at the same time."""
    return _application(
        name,
        "ours",
        {"log": kept.setting},
        provider_port=provider_port,
        core=core,
        database_pid=kept.database_pid,
    )


@contextmanager
def _ours(name: str, *, provider_port: int, core: int) -> Iterator[Server]:
    with (
        place(name, core=core) as kept,
        start_ours(name, kept, provider_port=provider_port, core=core) as server,
    ):
        yield server


@contextmanager
def _application(
    name: str,
    module: str,
    settings: Mapping[str, str],
    *,
    provider_port: int,
    core: int,
    database_pid: int | None = None,
) -> Iterator[Server]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    url = f"http://127.0.0.1:{provider_port}/v1"
    process = context.Process(
        target=serve, args=(theirs, module, url, dict(settings), core), daemon=True
    )
    process.start()
    theirs.close()
    try:
        if not ours.poll(_START_TIMEOUT_S):
            raise TimeoutError(f"the server {name!r} did not start")
        assert process.pid is not None
        yield Server(name, process.pid, ours.recv(), "/chat/stream", database_pid)
    finally:
        process.terminate()
        process.join(_STOP_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            process.join()


@contextmanager
def _nginx(name: str, *, provider_port: int, core: int) -> Iterator[Server]:
    with TemporaryDirectory(prefix="tickertape-nginx-") as folder:
        process, port = nginx.start(Path(folder), provider_port=provider_port, core=core)
        try:
            _wait_for_port(port, process)
            yield Server(name, process.pid, port, "/v1/chat/completions")
        finally:
            process.terminate()
            process.wait(_STOP_TIMEOUT_S)


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"nginx ended with status {process.returncode}")
