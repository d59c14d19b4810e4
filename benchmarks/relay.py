"""The CPU that a server spends on relaying one token from a provider to a reader.

The server has a core to itself. Half of the loads are paced: the same for all,
and light, so most tokens find the server asleep and its caches cold. The others
are in turn: each server is as busy as it can be, and yet no read brings more
than one write of the provider. All servers take turns in every round.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from benchmarks.findings import Finding
from benchmarks.rig.bench import Bench, Measured, bench, doubts
from benchmarks.rig.plan import Plan

FLOOR_ONE_A_READ: Final = 8.0
FLOOR_IN_BURSTS: Final = 22.0

# At these paces what users write keeps its core about half busy.
LOADS: Final = {
    "relay, one token a read, paced": (
        Plan(streams=32, duration_s=3, tokens_per_s=50),
        FLOOR_ONE_A_READ,
    ),
    "relay, one token a read, in turn": (Plan(streams=32, duration_s=1), FLOOR_ONE_A_READ),
    "relay, bursts of 8, paced": (
        Plan(streams=32, duration_s=3, tokens_per_s=80, burst=8),
        FLOOR_IN_BURSTS,
    ),
    "relay, bursts of 8, in turn": (Plan(streams=32, duration_s=1, burst=8), FLOOR_IN_BURSTS),
}
"""By name: the load, and how many times less than what users write ours must cost."""


def run(*, quick: bool) -> list[Finding]:
    """Measure every server under each load."""
    loads = {
        name: (plan.shortened() if quick else plan, floor_times)
        for name, (plan, floor_times) in LOADS.items()
    }
    with bench(("ours", "ours_sqlite", "usual", "nginx")) as running:
        return [
            compare(running, name, plan, floor_times=floor_times, rounds=1 if quick else 3)
            for name, (plan, floor_times) in loads.items()
        ]


def compare(
    running: Bench, name: str, plan: Plan, *, floor_times: float | None, rounds: int
) -> Finding:
    """Put every server under the load in turn, `rounds` times over."""
    found: dict[str, list[Measured]] = {server.name: [] for server in running.servers}
    for _ in range(rounds):
        for server in running.servers:
            found[server.name].append(running.measure(server, plan))
    return Finding(
        name=name,
        unit="CPU µs/token",
        figures={who: median(one.cpu_us for one in windows) for who, windows in found.items()},
        floor_times=floor_times,
        is_doubtful=any(doubts(windows, plan) for windows in found.values()),
        notes=tuple(_describe(who, windows, plan) for who, windows in found.items()),
    )


def _describe(who: str, windows: list[Measured], plan: Plan) -> str:
    # The kernel counts no recv(2), so nginx seems to read nothing.
    reads = median(one.reads for one in windows)
    counts = [f"{1 / reads:.1f} tokens a read"] if reads else []
    counts.append(f"{1 / median(one.writes for one in windows):.1f} tokens a write")
    busy = median(one.cpu_share for one in windows)
    rig_busy = median(one.rig_share for one in windows)
    counts.append(f"its core {busy:.0%} busy, the rig's {rig_busy:.0%}")
    return f"{who}: " + ", ".join([*counts, *doubts(windows, plan)])
