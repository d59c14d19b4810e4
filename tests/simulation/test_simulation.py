"""Thousands of schedules of faults: every promise is kept in each of them.

`make simulate SEED=…` replays one, step by step.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.simulation.play import play, play_many

SCHEDULES = {"memory": 3500, "redis": 2000}
SHARD = 500
CHUNK = 25
"""Schedules that a process plays at a time: small, so that all end together."""

SHARDS = [
    (log, first) for log, schedules in SCHEDULES.items() for first in range(0, schedules, SHARD)
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("log", "first"), SHARDS)
def test_every_promise_is_kept(log, first, players, count_played):
    """P1 to P7 and P9: exactly once, ended once and truthfully, started once, nobody waits."""
    seeds = [range(begin, begin + CHUNK) for begin in range(first, first + SHARD, CHUNK)]
    played = players.map(partial(play_many, log=log), seeds)
    broken = [each for some in played for each in some]
    count_played(log, SHARD)
    assert [] == broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize("log", ["memory", "redis"])
@pytest.mark.parametrize("seed", [3, 50, 160])
def test_a_seed_is_all_that_a_schedule_depends_on(log, seed):
    """Played twice, it gives the same trace, step by step: so a failure can be replayed."""
    once, again = (play(seed, log=log, is_traced=True) for _ in range(2))
    assert once.lines
    assert once.lines == again.lines
    assert once.steps == again.steps


def test_the_trace_does_not_change_the_schedule():
    """What failed without a trace fails in the same step with one."""
    assert play(160).steps == play(160, is_traced=True).steps
