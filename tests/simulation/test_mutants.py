"""The simulation bites: each way of getting it wrong is caught, by the right promise."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.play import play

SEEDS = 1000
"""More than it takes; a mutant that survives them all is a hole in the simulation."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant):
    """It breaks a promise that it should break, on a schedule that the real code keeps."""
    for seed in range(SEEDS):
        broken = play(seed, log=mutant.on, mutant=mutant).broken
        if any(promise in each for each in broken for promise in mutant.breaks):
            assert [] == play(seed, log=mutant.on).broken
            return
    pytest.fail(f"{mutant.name}: {SEEDS} schedules, and none broke {sorted(mutant.breaks)}")
