"""What readers cost that wait for runs which say nothing: memory, and the CPU of heartbeats.

5,000 connections at once, all to one run and then spread over many. Memory is what the
server's process has more of than before they came (RSS; the kernel's own for the
sockets is not in it). Heartbeats are as in `tickertape serve`: one in 15 s for each.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.findings import Finding, check_text
from benchmarks.rig import places
from benchmarks.rig.played import PlayedRun, await_ends, await_marks, start_runs
from benchmarks.rig.processes import Server, cpu_s, usage
from benchmarks.rig.readers import Reader
from benchmarks.rig.rig import Rig, rig

CEILING_KIB: Final = 40.0

READERS: Final = 5000
RUNS: Final = 500
HEARTBEAT_S: Final = 15.0
_AT_ONCE: Final = 250
"""How many connect before the next ones do; fewer than the listener's backlog."""
_SETTLE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One server with its readers."""

    kib: float
    """For each reader."""
    cpu_share: float
    """While nothing is said, of one core."""
    database_share: float
    heartbeats: int
    """That arrived, in all."""


def run(*, quick: bool) -> list[Finding]:
    """Measure each log with a server of its own: memory that was freed would be used again."""
    readers, runs, waits_s = (100, 10, 0.5) if quick else (READERS, RUNS, HEARTBEAT_S)
    findings: list[Finding] = []
    allow_files(readers + 1000)
    with rig() as desk:
        for spread, count in (("one run", 1), (f"{runs} runs", runs)):
            found: dict[str, Measured] = {}
            for who in places.available():
                with desk.start(who) as server:
                    found[who] = measure(desk, server, readers=readers, runs=count, waits_s=waits_s)
            findings += _findings(f"idle readers, {readers} of {spread}", found)
    return findings


def measure(desk: Rig, server: Server, *, readers: int, runs: int, waits_s: float) -> Measured:
    """Open the readers, let them wait, and end their runs.

    Raises:
        TextDiffers: a reader's text is not its run's.
    """
    warm_up(desk, server)
    started = start_runs(desk, server, range(runs))
    for run in started:
        run.write("…")
    desk.poller.poll_until(time.monotonic() + _SETTLE_S)
    before = usage(server.pid).resident_kib
    opened: list[Reader] = []
    while len(opened) < readers:
        numbers = range(len(opened), min(len(opened) + _AT_ONCE, readers))
        opened += _begun(desk, [started[number % runs].read(server) for number in numbers])
    desk.poller.poll_until(time.monotonic() + _SETTLE_S)
    grown_kib = usage(server.pid).resident_kib - before
    used_s, database_s = cpu_s(server.pid), cpu_s(server.database_pid)
    begun_s = time.monotonic()
    desk.poller.poll_until(begun_s + waits_s)
    waited_s = time.monotonic() - begun_s
    used_s, database_s = cpu_s(server.pid) - used_s, cpu_s(server.database_pid) - database_s
    heartbeats = sum(reader.body.count(b": hb\n") for reader in opened)
    _end(desk, started, opened, server)
    return Measured(grown_kib / readers, used_s / waited_s, database_s / waited_s, heartbeats)


def warm_up(desk: Rig, server: Server) -> None:
    """Have a run read to its end, so that what is made once has been made."""
    (run,) = start_runs(desk, server, [0])
    readers = [run.read(server) for _ in range(10)]
    run.write("…")
    await_marks(desk, readers, 1)
    _end(desk, [run], readers, server)


def allow_files(count: int) -> None:
    """Let this process, and those that it starts, have that many files open.

    Raises:
        ValueError: the system's own limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def _begun(desk: Rig, readers: list[Reader]) -> list[Reader]:
    """See every reader get its run's one token."""
    await_marks(desk, readers, 1)
    return readers


def _end(desk: Rig, runs: Sequence[PlayedRun], readers: Sequence[Reader], server: Server) -> None:
    for run in runs:
        run.end()
    await_ends(desk, readers)
    for number, reader in enumerate(readers):
        check_text(runs[number % len(runs)].text, reader.text, who=server.name)
    _leave(readers)


def _leave(readers: Sequence[Reader]) -> None:
    for reader in readers:
        reader.close()


def _findings(name: str, found: dict[str, Measured]) -> list[Finding]:
    return [
        Finding(
            name=f"{name}, memory",
            unit="KiB",
            figures={who: one.kib for who, one in found.items()},
            ceiling=CEILING_KIB,
        ),
        Finding(
            name=f"{name}, heartbeats",
            unit="% of a core",
            figures={who: one.cpu_share * 100 for who, one in found.items()},
            notes=tuple(
                f"{who}: {one.heartbeats} heartbeats came"
                + (f", its database {one.database_share:.1%} busy" if one.database_share else "")
                for who, one in found.items()
            ),
        ),
    ]
