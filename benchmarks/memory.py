"""The memory that a server needs for one open stream that has said something and now waits."""

from __future__ import annotations

from typing import Final

from benchmarks.findings import Finding
from benchmarks.rig.bench import bench
from benchmarks.rig.plan import Plan

CEILING_KIB: Final = 40.0

# Slow enough for any server to keep up, so that nothing waits in its buffers.
IDLE: Final = Plan(streams=500, duration_s=4, tokens_per_s=2)


def run(*, quick: bool) -> list[Finding]:
    """Open many streams at once, once at each server: memory that was freed would be used again."""
    plan = Plan(streams=100, duration_s=1, tokens_per_s=2) if quick else IDLE
    with bench() as running:
        figures = {
            server.name: running.measure(server, plan).grown_kib / plan.streams
            for server in running.servers
        }
    name = f"memory per open stream, {plan.streams} streams"
    return [Finding(name=name, unit="KiB", figures=figures, ceiling=CEILING_KIB)]
