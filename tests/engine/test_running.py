"""The runs of one process: written under the log's name for them, cancelled however early."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.engine.processes import end_of, processes_over, read_to_end
from tickertape.logs.base import Created
from tickertape.logs.memory import MemoryLog
from tickertape.providers.base import Route
from tickertape.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.virtual_time


class SlowToAnswer(MemoryLog):
    """A log that creates a run at once, and says so later."""

    async def create(self, started, **settings):
        created = await super().create(started, **settings)
        await asyncio.sleep(1)
        return created


async def test_p4_a_cancel_that_comes_before_the_run_is_known_counts(request_, provider):
    """Another process found it by its key, before the process that starts it heard of it."""
    log = SlowToAnswer(now=asyncio.get_running_loop().time)
    async with processes_over(log) as processes:
        first, second = [await processes.start() for _ in range(2)]
        route = [Route(provider, "m")]
        starting = asyncio.ensure_future(first.start(route, request_, idempotency_key="k"))
        await asyncio.sleep(0.5)
        (run_id,) = log._runs
        ended = (await second.cancel(run_id)).state.ended
        await starting
    assert ("cancelled", "user") == (ended.outcome, ended.cancelled_by)
    assert [] == provider.requests


class Renames(MemoryLog):
    """A log that gives a new run the id of an earlier start, which died before it was created."""

    async def create(self, started, **settings):
        renamed = msgspec.structs.replace(started, run_id=f"earlier {len(self._runs)}")
        created = await super().create(renamed, **settings)
        return Created(created.run_id, created.epoch, created.is_new)


async def test_p7_the_run_is_written_under_the_id_that_the_log_gave_it(request_, provider):
    """Whatever id the engine had proposed."""
    log = Renames(now=asyncio.get_running_loop().time)
    async with processes_over(log) as processes:
        engine = await processes.start()
        created = await engine.start([Route(provider, "m")], request_)
        assert "earlier 0" == created.run_id
        provider.stream.finish("Hi")
        records = await read_to_end(engine, "earlier 0")
        assert "earlier 0" == records[0].event.run_id
        assert "completed" == records[-1].event.outcome
        second = await engine.start([Route(provider, "m")], request_)
        await asyncio.sleep(0)
        assert "cancelled" == (await engine.cancel(second.run_id)).state.ended.outcome


async def test_a_run_that_fails_through_a_fault_of_ours_is_ended(
    processes, log, provider, request_, caplog
):
    """No reader hangs for it."""
    engine = await processes.start()
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    append = log.append

    async def fail(*_args, **_settings):
        log.append = append
        raise RuntimeError("a fault of ours")

    log.append = fail
    provider.stream.send("Hi")
    assert "failed" == (await end_of(engine, run_id)).outcome
    assert "a fault of ours" in caplog.text


async def test_only_what_another_has_taken_is_fenced(processes, log, request_):
    """The process's other runs go on."""
    engine = await processes.start()
    kept, taken = ScriptedProvider(), ScriptedProvider()
    kept_id = (await engine.start([Route(kept, "m")], request_)).run_id
    taken_id = (await engine.start([Route(taken, "m")], request_)).run_id
    await asyncio.sleep(1)
    await log.take_over(taken_id, holder="process 0", epoch=1)
    await engine._running.fence_taken()
    await asyncio.sleep(1)
    assert (True, False) == (taken.stream.is_closed, kept.stream.is_closed)
    assert [kept_id] == [run_id for run_id, _ in engine._running.items()]
