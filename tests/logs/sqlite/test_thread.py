"""The thread: groups of what waits, answers to all of it, and an end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.logs.sqlite.desks import future
from tickertape.core.errors import ConfigurationError, UnknownRun
from tickertape.logs.sqlite import thread as sqlite_thread
from tickertape.logs.sqlite.errors import LogUnavailable
from tickertape.logs.sqlite.jobs import Check
from tickertape.logs.sqlite.thread import DeskThread


class Desk:
    """Notes what it is given; waits, with each group, until it is let go."""

    def __init__(self):
        self.groups = []
        self.is_open = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.has_work = threading.Event()
        self.error = None

    def open(self):
        if self.error is not None:
            raise self.error
        self.is_open = True

    def work(self, jobs):
        self.groups.append(len(jobs))
        self.has_work.set()
        assert self.goes_on.wait(10)
        if self.error is not None:
            raise self.error

    def close(self):
        self.is_open = False


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
async def thread(desk):
    def settle(jobs):
        for job in jobs:
            job.settle()

    thread = DeskThread(desk, name="test", done=settle)
    yield thread
    await thread.stop()


def put(thread):
    job = Check(future=future(), now=0.0)
    thread.put(job)
    return job


async def test_what_waits_when_the_desk_is_free_is_one_group(thread, desk):
    """So the group grows by itself when there is much to do."""
    await thread.start()
    desk.goes_on.clear()
    jobs = [put(thread)]
    await asyncio.to_thread(desk.has_work.wait, 10)
    jobs += [put(thread) for _ in range(5)]
    desk.goes_on.set()
    await asyncio.gather(*(job.future for job in jobs))
    assert [1, 5] == desk.groups


async def test_a_group_has_a_bound(thread, desk, monkeypatch):
    """Those at the front are not kept waiting by those at the end."""
    monkeypatch.setattr(sqlite_thread, "MAX_GROUP", 3)
    await thread.start()
    desk.goes_on.clear()
    jobs = [put(thread)]
    await asyncio.to_thread(desk.has_work.wait, 10)
    jobs += [put(thread) for _ in range(7)]
    desk.goes_on.set()
    await asyncio.gather(*(job.future for job in jobs))
    assert [1, 3, 3, 1] == desk.groups


async def test_a_desk_that_does_not_open_says_why(thread, desk):
    """And the thread has ended; stopping it is safe."""
    desk.error = ConfigurationError("no such file")
    with pytest.raises(ConfigurationError, match="no such file"):
        await thread.start()
    await thread.stop()
    with pytest.raises(LogUnavailable):
        put(thread)


async def test_a_fault_of_the_desk_reaches_who_waits(thread, desk):
    """Nobody waits for ever, and the next ones are served."""
    await thread.start()
    desk.error = ZeroDivisionError("a fault")
    with pytest.raises(LogUnavailable, match="a fault") as raised:
        await put(thread).future
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    desk.error = None
    await put(thread).future


async def test_a_fault_takes_nothing_from_those_who_have_an_answer(thread, desk):
    """They keep it."""
    await thread.start()
    desk.error = ZeroDivisionError("a fault")
    job = Check(future=future(), now=0.0, error=UnknownRun("r"))
    thread.put(job)
    with pytest.raises(UnknownRun):
        await job.future


async def test_stopping_finishes_what_was_given(thread, desk):
    """Then closes the desk; more is refused, and stopping again is safe."""
    await thread.start()
    jobs = [put(thread) for _ in range(3)]
    await thread.stop()
    assert [True] * 3 == [job.future.done() for job in jobs]
    assert not desk.is_open
    with pytest.raises(LogUnavailable, match="closed"):
        put(thread)
    await thread.stop()


async def test_stopping_what_never_started_is_safe(thread):
    """There is nothing to wait for."""
    await thread.stop()


async def test_a_start_that_is_cancelled_leaves_no_thread(thread, desk):
    """The desk is closed again."""
    start = asyncio.ensure_future(thread.start())
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not thread._thread.is_alive() or not desk.is_open


def test_a_loop_that_closed_before_its_log_ends_the_thread(desk):
    """Nobody is left to be told, and nothing is printed."""

    async def start():
        thread = DeskThread(desk, name="test", done=lambda jobs: None)
        await thread.start()
        return thread

    thread = asyncio.run(start())
    thread._jobs.put(None)
    thread._thread.join(10)
    assert not thread._thread.is_alive()
    assert not desk.is_open
