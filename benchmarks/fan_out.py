"""What it costs to wake many readers of one run: CPU for each token of each reader, and delay.

Each token's text is the time of its sending. With Redis, the readers are also spread
over two processes, of which one writes the run; both are on the servers' core.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.findings import Finding, check_text
from benchmarks.rig import places
from benchmarks.rig.bench import MAX_WAITED_SHARE
from benchmarks.rig.played import await_ends, await_marks, start_runs
from benchmarks.rig.processes import Server, cpu_s, usage
from benchmarks.rig.rig import Rig, rig

READERS: Final = 500
TOKENS_PER_S: Final = 50.0
TWO: Final = "ours_redis_two"
"""By name: readers in the process that writes the run, and as many in another."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run that was read by all."""

    cpu_us: float
    """For each token of each reader."""
    database_us: float
    """For each token of the run."""
    cpu_share: float
    waited_share: float
    """How long the servers had to wait for their core, since others used it."""
    rig_share: float
    delays_s: Sequence[float]


def run(*, quick: bool) -> list[Finding]:
    """Measure every log, in turn."""
    readers, duration_s, rounds = (20, 0.4, 1) if quick else (READERS, 3.0, 3)
    found: dict[str, list[Measured]] = {}
    with rig() as desk, ExitStack() as stack:
        servers = {who: [stack.enter_context(desk.start(who))] for who in places.available()}
        if "ours_redis" in servers:
            servers[TWO] = stack.enter_context(_two(desk))
        for turn in range(rounds + 1):
            for who, group in servers.items():
                measured = measure(desk, group, readers=readers, duration_s=duration_s, who=who)
                if turn or quick:  # the first round warms up
                    found.setdefault(who, []).append(measured)
    return _findings(f"fan-out, {TOKENS_PER_S:g} tokens/s to {readers} readers", found)


def measure(
    desk: Rig, servers: Sequence[Server], *, readers: int, duration_s: float, who: str
) -> Measured:
    """Start a run at the first server, and let readers of all of them follow it.

    Raises:
        TextDiffers: a reader's text is not the run's.
    """
    (run,) = start_runs(desk, servers[0], [0])
    opened = [run.read(servers[number % len(servers)]) for number in range(readers)]
    run.write_stamp()
    await_marks(desk, opened, 1)
    processes = {server.pid for server in servers}
    databases = {server.database_pid for server in servers}
    used_s, database_s = sum(map(cpu_s, processes)), sum(map(cpu_s, databases))
    waited_s = sum(usage(pid).waited_s for pid in processes)
    idle_s, begun_s = desk.poller.idle_s, time.monotonic()
    for turn in range(int(duration_s * TOKENS_PER_S)):
        desk.poller.poll_until(begun_s + turn / TOKENS_PER_S)
        run.write_stamp()
    await_marks(desk, opened, len(run.sent))
    took_s, idle_s = time.monotonic() - begun_s, desk.poller.idle_s - idle_s
    used_s, database_s = (
        sum(map(cpu_s, processes)) - used_s,
        sum(map(cpu_s, databases)) - database_s,
    )
    waited_s = sum(usage(pid).waited_s for pid in processes) - waited_s
    run.end()
    await_ends(desk, opened)
    for reader in opened:
        check_text(run.text, reader.text, who=who)
        reader.close()
    tokens = len(run.sent) - 1
    return Measured(
        cpu_us=used_s / tokens / readers * 1e6,
        database_us=database_s / tokens * 1e6,
        cpu_share=used_s / took_s,
        waited_share=waited_s / took_s,
        rig_share=1 - idle_s / took_s,
        # The first token, which opened the stream, is left out.
        delays_s=sorted(delay_s for reader in opened for delay_s in reader.delays_s[1:]),
    )


@contextmanager
def _two(desk: Rig) -> Iterator[list[Server]]:
    """Run two servers that share a log."""
    with (
        places.place("ours_redis", core=desk.core) as kept,
        desk.start_ours(TWO, kept) as writer,
        desk.start_ours(TWO, kept) as other,
    ):
        yield [writer, other]


def _findings(name: str, found: dict[str, list[Measured]]) -> list[Finding]:
    is_doubtful = any(_waited_share(each) > MAX_WAITED_SHARE for each in found.values())
    cpu = Finding(
        name=f"{name}, each reader's token",
        unit="CPU µs",
        figures={who: median(one.cpu_us for one in each) for who, each in found.items()},
        is_doubtful=is_doubtful,
        notes=tuple(_describe(who, each) for who, each in found.items()),
    )
    delays = [
        Finding(
            name=f"{name}, delay p{percent}",
            unit="ms",
            figures={
                who: median(one.delays_s[len(one.delays_s) * percent // 100] for one in each) * 1e3
                for who, each in found.items()
            },
            is_doubtful=is_doubtful,
        )
        for percent in (50, 99)
    ]
    return [cpu, *delays]


def _describe(who: str, each: Sequence[Measured]) -> str:
    busy = median(one.cpu_share for one in each)
    rig_busy = median(one.rig_share for one in each)
    told = f"{who}: its core {busy:.0%} busy, the rig's {rig_busy:.0%}"
    if database_us := median(one.database_us for one in each):
        told += f", its database {database_us:.0f} CPU µs for each token of the run"
    if (share := _waited_share(each)) > MAX_WAITED_SHARE:
        told += f", others used its core, it waited for {share:.0%} of the time"
    return told


def _waited_share(each: Sequence[Measured]) -> float:
    return max(one.waited_share for one in each)
