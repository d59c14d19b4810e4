"""Plays one seed: draws its schedule, runs it, and says which promises were broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.checks import broken_promises
from tests.simulation.mutants import Mutant
from tests.simulation.schedule import LogKind, draw
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one seed."""

    seed: int
    broken: list[str]
    lines: list[str]
    """The trace, if it was wanted."""
    steps: int


def play(
    seed: int,
    *,
    log: LogKind = "memory",
    mutant: Mutant | None = None,
    is_traced: bool = False,
) -> Played:
    """Play the schedule of a seed, on the real code or on a mutant of it."""
    schedule = draw(seed, log)
    code = mutant or Mutant("none", frozenset())
    with code.patched():
        world = World(schedule, is_traced=is_traced, link=code.link, log=code.log)
        world.play()
    lines = [*schedule.describe(), *world.trace.lines] if is_traced else []
    return Played(seed, broken_promises(world), lines, world.loop.steps)


def play_many(seeds: Sequence[int], log: LogKind = "memory") -> list[str]:
    """Play these seeds; return how to replay what broke, and what it was."""
    how = "" if log == "memory" else f" LOG={log}"
    return [
        f"make simulate SEED={seed}{how}: {promise}"
        for seed in seeds
        for promise in play(seed, log=log).broken
    ]
