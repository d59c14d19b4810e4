"""The CPU that a server spends on relaying one token from a provider to a reader.

The server has a core to itself. Half of the loads are paced: the same for all,
and light, so most tokens find the server asleep and its caches cold. The others
are in turn: each server is as busy as it can be, and yet no read brings more
than one write of the provider. All servers take turns in every round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from benchmarks.findings import Finding
from benchmarks.rig import places
from benchmarks.rig.bench import Bench, Measured, bench, doubts
from benchmarks.rig.plan import Plan

FLOOR_ONE_A_READ: Final = 8.0
FLOOR_IN_BURSTS: Final = 22.0
SHARE_ONE_A_READ: Final = 0.5
SHARE_IN_BURSTS: Final = 0.6
"""What each log must reach of the throughput with the log in memory."""

# At these paces what users write keeps its core about half busy.
LOADS: Final = {
    "relay, one token a read, paced": (
        Plan(streams=32, duration_s=3, tokens_per_s=50),
        FLOOR_ONE_A_READ,
        None,
    ),
    "relay, one token a read, in turn": (
        Plan(streams=32, duration_s=1),
        FLOOR_ONE_A_READ,
        SHARE_ONE_A_READ,
    ),
    "relay, bursts of 8, paced": (
        Plan(streams=32, duration_s=3, tokens_per_s=80, burst=8),
        FLOOR_IN_BURSTS,
        None,
    ),
    "relay, bursts of 8, in turn": (
        Plan(streams=32, duration_s=1, burst=8),
        FLOOR_IN_BURSTS,
        SHARE_IN_BURSTS,
    ),
}
"""By name: the load, how many times less than what users write ours must cost, and the
share of its throughput in memory that it must reach with each other log."""

Found = Mapping[str, Sequence[Measured]]
"""Every server's windows under one load."""


def run(*, quick: bool) -> list[Finding]:
    """Measure every server under each load."""
    rounds = 1 if quick else 3
    findings: list[Finding] = []
    with bench((*places.OURS, "usual", "nginx")) as running:
        for name, (plan, floor_times, share) in LOADS.items():
            plan = plan.shortened() if quick else plan
            found = measure(running, plan, rounds=rounds)
            findings.append(compare(name, found, plan, floor_times=floor_times))
            if share is not None:
                findings += against_memory(name, found, share=share)
    return findings


def measure(running: Bench, plan: Plan, *, rounds: int) -> Found:
    """Put every server under the load in turn, `rounds` times over."""
    found: dict[str, list[Measured]] = {server.name: [] for server in running.servers}
    for _ in range(rounds):
        for server in running.servers:
            found[server.name].append(running.measure(server, plan))
    return found


def compare(name: str, found: Found, plan: Plan, *, floor_times: float | None) -> Finding:
    """Return what each server spent on a token."""
    return Finding(
        name=name,
        unit="CPU µs/token",
        figures={who: median(one.cpu_us for one in windows) for who, windows in found.items()},
        floor_times=floor_times,
        is_doubtful=any(doubts(windows, plan) for windows in found.values()),
        notes=tuple(_describe(who, windows, plan) for who, windows in found.items()),
    )


def against_memory(name: str, found: Found, *, share: float) -> list[Finding]:
    """Return each log's throughput as a share of the one in memory: what a full core relays.

    Once by the server's own CPU, as if its database were on a core of its own, and once
    with the database on the same core.
    """
    in_memory_us = median(one.cpu_us for one in found["ours"])
    own_us, all_us = (
        {
            who: median(one.cpu_us + one.database_us * counts for one in windows)
            for who, windows in found.items()
            if who in places.OURS and who != "ours"
        }
        for counts in (0, 1)
    )
    unit = "of memory's throughput"
    return [
        Finding(name=f"{name}, {what}", unit=unit, figures=figures, least=least)
        for what, figures, least in (
            ("other logs", {who: in_memory_us / us for who, us in own_us.items()}, share),
            ("with the database", {who: in_memory_us / us for who, us in all_us.items()}, None),
        )
    ]


def _describe(who: str, windows: Sequence[Measured], plan: Plan) -> str:
    # The kernel counts no recv(2), so nginx seems to read nothing.
    reads = median(one.reads for one in windows)
    counts = [f"{1 / reads:.1f} tokens a read"] if reads else []
    counts.append(f"{1 / median(one.writes for one in windows):.1f} tokens a write")
    busy = median(one.cpu_share for one in windows)
    rig_busy = median(one.rig_share for one in windows)
    counts.append(f"its core {busy:.0%} busy, the rig's {rig_busy:.0%}")
    counts.append(f"{median(one.tokens_per_s for one in windows):,.0f} tokens/s")
    database_us = median(one.database_us for one in windows)
    counts += [f"its database {database_us:.1f} CPU µs/token"] if database_us else []
    return f"{who}: " + ", ".join([*counts, *doubts(windows, plan)])
