"""The delay that a server adds to a token, from the provider's write to the reader's read.

Each token's text is the time of its sending. "direct" is the rig reading from
its own simulator: what the delay would be with no server between.
"""

from __future__ import annotations

from statistics import median
from typing import Final

from benchmarks.findings import Finding
from benchmarks.rig import places
from benchmarks.rig.bench import Bench, Measured, bench, doubts
from benchmarks.rig.plan import Plan

P50_CEILING_MS: Final = 1.0
P99_CEILING_MS: Final = 3.0

LIGHT: Final = Plan(streams=30, duration_s=3, tokens_per_s=50, is_stamped=True)
"""What users write can still keep up with this."""
FULL: Final = Plan(streams=100, duration_s=3, tokens_per_s=50, is_stamped=True)


def run(*, quick: bool) -> list[Finding]:
    """Measure every server with 30 streams and with 100."""
    rounds = 1 if quick else 3
    findings: list[Finding] = []
    with bench((*places.OURS, "usual", "nginx")) as running:
        for plan in (LIGHT, FULL):
            name = f"delay, {plan.streams} streams of {plan.tokens_per_s:g} tokens/s"
            short = plan.shortened() if quick else plan
            findings += compare(running, name, short, rounds=rounds)
    return findings


def compare(running: Bench, name: str, plan: Plan, *, rounds: int) -> list[Finding]:
    """Put every server under the load in turn; return the median delay, and the 99th percentile."""
    found: dict[str, list[Measured]] = {}
    for _ in range(rounds):
        for server in [*running.servers, running.direct]:
            found.setdefault(server.name, []).append(running.measure(server, plan))
    notes = [f"{who}: {doubt}" for who, windows in found.items() for doubt in doubts(windows, plan)]
    return [
        Finding(
            name=f"{name}, p{percent}",
            unit="ms",
            figures={
                who: median(_percentile_ms(one, percent) for one in windows)
                for who, windows in found.items()
            },
            ceiling=ceiling,
            is_doubtful=any(doubts(found[who], plan) for who in found if who in places.OURS),
            notes=tuple(notes) if percent == 50 else (),
        )
        for percent, ceiling in ((50, P50_CEILING_MS), (99, P99_CEILING_MS))
    ]


def _percentile_ms(one: Measured, percent: int) -> float:
    delays_s = sorted(one.delays_s)
    return delays_s[len(delays_s) * percent // 100] * 1000
