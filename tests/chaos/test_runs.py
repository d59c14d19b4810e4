"""A seed plans the same storm again."""

from __future__ import annotations

from random import Random

from tests.chaos.havoc import forecast
from tests.chaos.runs import plan_runs


def test_a_seed_plans_the_same_runs_and_blows_again():
    """And another one plans others."""

    def plan(seed):
        chance = Random(seed)
        runs = plan_runs(chance, count=20, spread_s=10.0)
        return runs, forecast(
            chance, lasts_s=10.0, every_s=1.0, servers=3, has_redis=True, lease_s=2.0
        )

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


def test_no_two_runs_share_a_word():
    """What was read of another run, or twice, is found out."""
    runs = plan_runs(Random(3), count=20, spread_s=10.0)
    words = [word for run in runs for word in run.pieces]
    assert len(words) == len(set(words))
    assert all(200 <= len(run.pieces) <= 600 for run in runs)
