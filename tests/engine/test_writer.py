"""The writer puts a step's batches into the log, and stops when it is fenced."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import LogError, LogUnavailable, RecordsLost, RunTrimmed, UnknownRun
from tickertape.core.events import RunEnded, RunStarted, Timings, Usage, UsageReported
from tickertape.engine.step import Step
from tickertape.engine.writer import NOT_STORED, RECORDS_LOST, write_run
from tickertape.logs.memory import MemoryLog
from tickertape.providers.base import Route
from tickertape.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.virtual_time

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=0.0)
ENDED = RunEnded(outcome="failed", length=0, timings=Timings(first_progress_s=None, duration_s=0))


@pytest.fixture
async def provider():
    return ScriptedProvider()


@pytest.fixture
async def log():
    log = MemoryLog()
    await log.create(STARTED)
    return log


@pytest.fixture
async def step(provider, request_):
    return Step([Route(provider, "m")], request_, started=STARTED, deadlines=Deadlines())


async def test_each_read_is_one_append(log, step, provider):
    """What arrived together is stored together, merged."""
    provider.stream.send("a", "b")
    provider.stream.finish("c")
    appended = []
    append = log.append

    async def note_and_append(run_id, events, *, epoch):
        appended.append([type(event).__name__ for event in events])
        return await append(run_id, events, epoch=epoch)

    log.append = note_and_append
    await write_run(log, step, run_id="r", epoch=1)
    assert [["TextDelta"], ["TextDelta", "ChoiceFinished", "RunEnded"]] == appended


@pytest.mark.parametrize("why", ["fenced", "ended"])
async def test_a_run_that_is_another_writers_is_left_to_it(log, step, provider, caplog, why):
    """Nothing is written over it, the provider is stopped, and the log says so."""
    if why == "ended":
        await log.append("r", [ENDED], epoch=1)
    before = (await log.head("r")).end_offset
    provider.stream.send("a")
    await write_run(log, step, run_id="r", epoch=2 if why == "fenced" else 1)
    assert before == (await log.head("r")).end_offset
    assert provider.stream.is_closed
    assert "stopped writing" in caplog.text


async def test_a_log_that_fails_raises_and_the_provider_is_stopped(log, step, provider):
    """The engine decides what becomes of the run."""

    async def fail(run_id, events, *, epoch):
        raise LogError("no room")

    log.append = fail
    provider.stream.send("a")
    with pytest.raises(LogError, match="no room"):
        await write_run(log, step, run_id="r", epoch=1)
    assert provider.stream.is_closed


class FullLog(MemoryLog):
    """A log that refuses appends while it is full."""

    is_full = False

    async def append(self, run_id, events, *, epoch):
        if self.is_full:
            raise LogUnavailable("the disk is full")
        return await super().append(run_id, events, epoch=epoch)


async def test_p2_a_run_that_can_not_be_stored_returns_the_end_that_it_should_have(step, provider):
    """The provider is stopped at once; whoever holds the run stores its end later."""
    log = FullLog()
    await log.create(STARTED)
    provider.stream.send("stored", UsageReported(Usage(output_tokens=2)))
    task = asyncio.ensure_future(write_run(log, step, run_id="r", epoch=1))
    while (await log.head("r")).end_offset == 1:
        await asyncio.sleep(0.01)
    log.is_full = True
    provider.stream.finish("lost")
    ended = await task
    assert provider.stream.is_closed
    assert ("failed", NOT_STORED, Usage(output_tokens=2)) == (
        ended.outcome,
        ended.error,
        ended.usage,
    )


async def test_p1_a_log_that_lost_records_stops_the_provider(log, step, provider):
    """More text after a hole would be no answer."""

    async def lose(run_id, events, *, epoch):
        raise RecordsLost(run_id)

    log.append = lose
    provider.stream.send("a")
    ended = await write_run(log, step, run_id="r", epoch=1)
    assert provider.stream.is_closed
    assert ("failed", RECORDS_LOST) == (ended.outcome, ended.error)


@pytest.mark.parametrize("gone", [UnknownRun("r"), RunTrimmed("r")])
async def test_a_run_that_is_gone_is_let_go(log, step, provider, gone):
    """Nothing is left to end."""

    async def refuse(run_id, events, *, epoch):
        raise gone

    log.append = refuse
    provider.stream.send("a")
    assert await write_run(log, step, run_id="r", epoch=1) is None
    assert provider.stream.is_closed
