"""Plays one seed: draws its schedule, runs it, and says which promises were broken."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.checks import broken_promises
from tests.simulation.schedule import draw
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one seed."""

    seed: int
    broken: list[str]
    lines: list[str]
    """The trace, if it was wanted."""
    steps: int


def play(seed: int, *, is_traced: bool = False) -> Played:
    """Play the schedule of a seed."""
    schedule = draw(seed)
    world = World(schedule, is_traced=is_traced)
    world.play()
    lines = [*schedule.describe(), *world.trace.lines] if is_traced else []
    return Played(seed, broken_promises(world), lines, world.loop.steps)
