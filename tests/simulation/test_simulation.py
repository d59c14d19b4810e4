"""Thousands of schedules of faults: every promise is kept in each of them.

`make simulate SEED=…` replays one, step by step.
"""

from __future__ import annotations

import pytest

from tests.simulation.play import play, play_many

SCHEDULES = 4000
SHARD = 500
CHUNK = 25
"""Schedules that a process plays at a time: small, so that all end together."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("first", range(0, SCHEDULES, SHARD))
def test_every_promise_is_kept_on_the_log_in_memory(first, players, count_played):
    """P1 to P7 and P9: exactly once, ended once and truthfully, started once, nobody waits."""
    seeds = [range(begin, begin + CHUNK) for begin in range(first, first + SHARD, CHUNK)]
    broken = [each for some in players.map(play_many, seeds) for each in some]
    count_played("the log in memory", SHARD)
    assert [] == broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize("seed", [3, 50, 160])
def test_a_seed_is_all_that_a_schedule_depends_on(seed):
    """Played twice, it gives the same trace, step by step: so a failure can be replayed."""
    once, again = (play(seed, is_traced=True) for _ in range(2))
    assert once.lines
    assert once.lines == again.lines
    assert once.steps == again.steps


def test_the_trace_does_not_change_the_schedule():
    """What failed without a trace fails in the same step with one."""
    assert play(160).steps == play(160, is_traced=True).steps
