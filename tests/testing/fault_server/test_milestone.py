"""Waiting in one thread for what happens in another."""

import asyncio
import threading

import pytest

from tickertape.testing.fault_server.milestone import Milestone, WaitedTooLong


async def test_a_coroutine_waits_for_a_thread():
    """The value arrives, whoever was first."""
    milestone: Milestone[int] = Milestone()
    thread = threading.Thread(target=milestone.reach, args=(7,))
    waiting = asyncio.ensure_future(milestone.wait("it")._wait())
    await asyncio.sleep(0)
    thread.start()
    assert 7 == await waiting
    assert 7 == await milestone.wait("it")
    thread.join()


def test_a_thread_waits_for_a_thread():
    """Without an event loop."""
    milestone: Milestone[str] = Milestone()
    thread = threading.Thread(target=milestone.reach, args=("done",))
    thread.start()
    assert "done" == milestone.wait("it").result()
    thread.join()


async def test_only_the_first_time_counts():
    """A value stays; so does an error."""
    milestone: Milestone[int] = Milestone()
    milestone.reach(1)
    milestone.reach(2)
    milestone.miss(ValueError("late"))
    assert 1 == await milestone.wait("it")


async def test_what_cannot_happen_any_more_raises():
    """Rather than letting a test wait."""
    milestone: Milestone[int] = Milestone()
    milestone.miss(ValueError("never"))
    with pytest.raises(ValueError, match="never"):
        await milestone.wait("it")
    with pytest.raises(ValueError, match="never"):
        milestone.wait("it").result()


async def test_nobody_waits_for_ever():
    """The message says for what; and nothing is left behind."""
    milestone: Milestone[int] = Milestone()
    with pytest.raises(WaitedTooLong, match="a sign"):
        await milestone.wait("a sign", timeout_s=0)
    with pytest.raises(WaitedTooLong, match="a sign"):
        milestone.wait("a sign", timeout_s=0).result()
    assert not milestone._wakes
