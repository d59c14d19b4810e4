"""The loop: order from a seed, time that jumps, and owners that die or hang."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.simulation.loop import Owner, SimulationLoop
from tickertape.testing.clock import Stuck


def ran_in_order(seed):
    loop = SimulationLoop(Random(seed))
    ran: list[int] = []
    for number in range(6):
        loop.call_soon(ran.append, number)
    loop.run_until(lambda: len(ran) == 6, limit_s=1)
    return ran


def test_a_seed_draws_the_order_of_what_is_ready():
    """One seed, one order; another seed, in the end another order."""
    assert ran_in_order(1) == ran_in_order(1)
    assert len({tuple(ran_in_order(seed)) for seed in range(20)}) > 10


def test_time_jumps_to_the_next_timer():
    """In the order of their times, whatever the order in which they were set."""
    loop = SimulationLoop(Random(0))
    at: list[float] = []
    for delay_s in (30.0, 10.0, 20.0):
        loop.call_later(delay_s, lambda: at.append(loop.time()))
    loop.run_until(lambda: len(at) == 3, limit_s=60)
    assert [10.0, 20.0, 30.0] == at


def test_nothing_to_do_is_a_hang():
    """As is what takes longer than it may."""
    loop = SimulationLoop(Random(0))
    with pytest.raises(Stuck, match="all tasks wait"):
        loop.run_until(lambda: False, limit_s=1)

    def again() -> None:
        loop.call_later(1, again)

    again()
    with pytest.raises(Stuck, match="not over after 5 s"):
        loop.run_until(lambda: False, limit_s=5)


async def works(done: list[str]) -> None:
    try:
        await asyncio.sleep(1)
        done.append("worked")
    finally:
        done.append("cleaned up")


def test_who_is_dead_runs_nothing_more():
    """Not even what stands in a `finally`."""
    loop = SimulationLoop(Random(0))
    owner = Owner("process")
    done: list[str] = []
    task = loop.create_task(works(done), context=owner.context)
    loop.call_later(0.5, lambda: setattr(owner, "is_dead", True))
    loop.call_later(5, done.append, "later")
    loop.run_until(lambda: bool(done), limit_s=10)
    assert (["later"], False) == (done, task.done())
    loop.bury()


def test_who_hangs_runs_everything_later():
    """Its timers, too, and what others wake it for."""
    loop = SimulationLoop(Random(0))
    owner = Owner("process")
    done: list[str] = []
    loop.create_task(works(done), context=owner.context)
    loop.call_later(0.5, lambda: setattr(owner, "is_held", True))
    loop.call_later(5, done.append, "later")
    loop.call_later(6, loop.let_go, owner)
    loop.run_until(lambda: len(done) == 3, limit_s=10)
    assert ["later", "worked", "cleaned up"] == done


def test_an_error_that_nobody_catches_is_noted():
    """It fails the schedule, rather than be lost in a log."""
    loop = SimulationLoop(Random(0))
    loop.call_soon(lambda: 1 / 0)
    loop.run_until(lambda: bool(loop.failures), limit_s=1)
    assert ["a callback failed: ZeroDivisionError: division by zero"] == loop.failures
