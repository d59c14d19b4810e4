"""The writer puts a step's batches into the log, and stops when it is fenced."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import LogError, LogUnavailable
from tickertape.core.events import RunEnded, RunStarted, Timings
from tickertape.engine.step import Step
from tickertape.engine.writer import write_run
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
    refused = 0

    async def append(self, run_id, events, *, epoch):
        if self.is_full:
            self.refused += 1
            raise LogUnavailable("the disk is full")
        return await super().append(run_id, events, epoch=epoch)


@pytest.mark.parametrize("refused_times", [1, 4])
async def test_p2_a_run_that_can_not_be_stored_ends_with_the_length_of_what_was(
    step, provider, refused_times
):
    """As soon as the log takes it; the provider is stopped at once."""
    log = FullLog()
    await log.create(STARTED)
    provider.stream.send("stored")
    task = asyncio.ensure_future(write_run(log, step, run_id="r", epoch=1))
    while (await log.head("r")).end_offset == 1:
        await asyncio.sleep(0.01)
    log.is_full = True
    provider.stream.send("lost")
    while log.refused < refused_times:
        await asyncio.sleep(0.01)
    assert provider.stream.is_closed
    log.is_full = False
    await task
    (end,) = (await log.read("r", after=1)).records
    assert ("failed", "internal", 6) == (
        end.event.outcome,
        end.event.error.code,
        end.event.length,
    )


async def test_p5_a_log_that_stays_full_is_given_up(step, provider):
    """A run does not occupy its place for ever; whoever opens the log next ends it."""
    log = FullLog()
    await log.create(STARTED)
    log.is_full = True
    provider.stream.finish("lost")
    with pytest.raises(LogUnavailable):
        await write_run(log, step, run_id="r", epoch=1)
    assert provider.stream.is_closed
