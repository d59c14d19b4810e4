"""The engine: detached runs, started once, cancelled truly, drained in time."""

from __future__ import annotations

import asyncio

import pytest

from tests.losing_log import LosingLog
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import (
    Busy,
    Draining,
    IdempotencyConflict,
    ProviderError,
    RunTrimmed,
    UnknownRun,
)
from tickertape.core.events import ChoiceFinished, RunEnded, TextDelta
from tickertape.core.request import ChatRequest, Message
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.providers.base import Route
from tickertape.testing.log_probes import ENDED, started
from tickertape.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def provider():
    return ScriptedProvider()


@pytest.fixture
async def log():
    return MemoryLog(now=lambda: asyncio.get_running_loop().time())


@pytest.fixture
async def engine(log):
    async with Engine(log, max_runs=3, now=lambda: 1000.0) as engine:
        yield engine


async def read_to_end(engine, run_id, **where):
    """Return a reader's events up to the end of the run."""
    events = []
    async with await engine.tail(run_id, **where) as tail:
        while not tail.is_over:
            events += [record.event for record in await tail.next()]
    return events


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_a_run_is_read_from_its_start_to_its_end(engine, provider, request_):
    """RunStarted first, the text, RunEnded last."""
    created = await engine.start([Route(provider, "m")], request_)
    provider.stream.finish("Hello")
    events = await read_to_end(engine, created.run_id)
    assert (created.run_id, "m", "scripted", 1000.0) == (
        events[0].run_id,
        events[0].model,
        events[0].provider,
        events[0].created_at,
    )
    assert ("Hello", "completed") == (text_of(events), events[-1].outcome)


async def test_p3_a_reader_sees_only_what_the_log_has(engine, log, provider, request_):
    """At every moment the reader's text is a prefix of the log's."""
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    async with await engine.tail(run_id) as tail:
        for letter in "abc":
            provider.stream.send(letter)
            while not (records := await tail.next()) or records[-1].offset == 0:
                pass
            assert tail.cursor.offset < (await log.head(run_id)).end_offset
        provider.stream.finish()


async def test_p4_a_reader_that_leaves_stops_nothing(engine, provider, request_):
    """The run goes on to its end, and a later reader gets all of it."""
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    provider.stream.send("Hel")
    async with await engine.tail(run_id) as tail:
        await tail.next()
    provider.stream.finish("lo")
    assert "Hello" == text_of(await read_to_end(engine, run_id))


async def test_p4_cancel_answers_when_the_end_is_in_the_log(engine, provider, request_):
    """The provider's connection is closed, the partial text stays, and again is safe."""
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    provider.stream.send("Hel")
    await asyncio.sleep(1)
    snapshot = await engine.cancel(run_id)
    assert ("Hel", "cancelled", "user") == (
        snapshot.state.text,
        snapshot.state.ended.outcome,
        snapshot.state.ended.cancelled_by,
    )
    assert provider.stream.is_closed
    assert snapshot.cursor == (await engine.cancel(run_id, by="abandoned")).cursor


async def test_p6_a_reader_that_never_reads_costs_the_run_nothing(engine, provider, request_):
    """Two readers, one of them stuck: the other has everything, and the run ends."""
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    async with await engine.tail(run_id):
        for _ in range(1000):
            provider.stream.send("x")
        provider.stream.finish()
        assert 1000 == len(text_of(await read_to_end(engine, run_id)))


async def test_p7_the_same_key_starts_once(engine, provider, request_):
    """However many start at once, one request goes to the provider."""
    starts = [
        engine.start([Route(provider, "m")], request_, idempotency_key="k") for _ in range(10)
    ]
    created = await asyncio.gather(*starts)
    await asyncio.sleep(0)
    assert 1 == len({each.run_id for each in created})
    assert 1 == sum(each.is_new for each in created)
    assert 1 == len(provider.requests)


async def test_p7_a_key_is_its_owners(engine, provider, request_):
    """Two owners with one key have two runs."""
    ann = await engine.start([Route(provider, "m")], request_, idempotency_key="k", owner="ann")
    bob = await engine.start([Route(provider, "m")], request_, idempotency_key="k", owner="bob")
    assert ann.run_id != bob.run_id


async def test_p7_one_key_with_two_requests_is_refused(engine, provider, request_):
    """Joining another question's answer would be worse than an error."""
    await engine.start([Route(provider, "m")], request_, idempotency_key="k")
    other = ChatRequest(messages=[Message(role="user", content="Bye")], model="m")
    with pytest.raises(IdempotencyConflict, match="'k'"):
        await engine.start([Route(provider, "m")], other, idempotency_key="k")


async def test_p7_a_full_server_still_lets_a_known_key_join(engine, provider, request_):
    """A retry is no new run, so it needs no room."""
    first = await engine.start([Route(provider, "m")], request_, idempotency_key="k")
    await engine.start([Route(provider, "m")], request_)
    await engine.start([Route(provider, "m")], request_)
    with pytest.raises(Busy, match="all 3 runs") as refused:
        await engine.start([Route(provider, "m")], request_, idempotency_key="new")
    assert refused.value.retry_after_s > 0
    assert (
        first.run_id
        == (await engine.start([Route(provider, "m")], request_, idempotency_key="k")).run_id
    )


async def test_room_is_free_again_when_a_run_has_ended(engine, provider, request_):
    """The limit counts running runs, not started ones."""
    run_ids = [(await engine.start([Route(provider, "m")], request_)).run_id for _ in range(3)]
    for run_id in run_ids:
        await engine.cancel(run_id)
    await engine.start([Route(provider, "m")], request_)
    assert 1 == engine.running_runs


async def test_p10_a_run_is_its_owners(engine, provider, request_):
    """Others can't tell it from a run that does not exist."""
    run_id = (await engine.start([Route(provider, "m")], request_, owner="ann")).run_id
    for attempt in (
        engine.tail(run_id, owner="bob"),
        engine.tail(run_id),
        engine.cancel(run_id, owner="bob"),
        engine.snapshot(run_id),
    ):
        with pytest.raises(UnknownRun):
            await attempt
    assert not provider.stream.is_closed


async def test_p2_every_way_to_fail_ends_the_run_once(engine, log, provider, request_):
    """A refused request has its end in the log, and only one."""
    provider.refusal = ProviderError("provider_rejected", "No.", detail="sk-secret")
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    events = await read_to_end(engine, run_id)
    assert [RunEnded] == [type(event) for event in events[1:]]
    assert ("failed", "provider_rejected") == (events[-1].outcome, events[-1].error.code)
    assert "sk-secret" not in str(events)


async def test_drain_lets_runs_finish_and_takes_no_more(log, provider, request_):
    """A run that ends in time ends as it would have."""
    async with Engine(log) as engine:
        run_id = (await engine.start([Route(provider, "m")], request_)).run_id
        draining = asyncio.ensure_future(engine.drain(30))
        await asyncio.sleep(5)
        with pytest.raises(Draining):
            await engine.start([Route(provider, "m")], request_)
        provider.stream.finish("Hi")
        await draining
        assert "completed" == (await engine.snapshot(run_id)).state.ended.outcome


async def test_drain_ends_what_takes_too_long(log, provider, request_):
    """Readers are told `shutdown`; none hangs."""
    async with Engine(log) as engine:
        run_id = (await engine.start([Route(provider, "m")], request_)).run_id
        provider.stream.send("Hel")
        reading = asyncio.ensure_future(read_to_end(engine, run_id))
        await engine.drain(30)
        assert 30.0 == asyncio.get_running_loop().time()
        ended = (await reading)[-1]
        assert ("cancelled", "shutdown") == (ended.outcome, ended.cancelled_by)


async def test_leaving_the_engine_ends_its_runs(log, provider, request_):
    """No task and no open connection is left behind."""
    async with Engine(log) as engine:
        await engine.start([Route(provider, "m")], request_)
        await asyncio.sleep(0)
    assert provider.stream.is_closed
    assert [asyncio.current_task()] == list(asyncio.all_tasks())


async def test_p5_a_silent_provider_is_given_up(log, provider, request_):
    """The reader learns `stalled`, at the deadline."""
    async with Engine(log, deadlines=Deadlines(first_progress_timeout_s=7)) as engine:
        run_id = (await engine.start([Route(provider, "m")], request_)).run_id
        ended = (await read_to_end(engine, run_id))[-1]
        assert ("stalled", 7.0) == (ended.error.code, asyncio.get_running_loop().time())


async def test_p9_a_cancelled_run_has_timings_and_marked_absence_of_usage(
    engine, provider, request_
):
    """Accounting does not depend on a happy end."""
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    await asyncio.sleep(4)
    ended = (await engine.cancel(run_id)).state.ended
    assert (None, 4.0) == (ended.usage, ended.timings.duration_s)


async def test_a_run_is_kept_and_then_trimmed(request_, provider):
    """After its time a reader is told that the run was there."""
    loop = asyncio.get_running_loop()
    async with Engine(MemoryLog(retention_s=60, now=loop.time)) as engine:
        run_id = (await engine.start([Route(provider, "m")], request_)).run_id
        provider.stream.send(ChoiceFinished(finish_reason="stop", raw_finish_reason="stop"))
        provider.stream.finish("Hi")
        await read_to_end(engine, run_id)
        await asyncio.sleep(61)
        await engine.start([Route(provider, "m")], request_)
        with pytest.raises(RunTrimmed):
            await engine.tail(run_id)


async def test_p4_a_cancel_waits_for_the_end_though_the_log_lost_records_meanwhile():
    """It wants the end, whichever history that has; nobody is told of text it never asked for."""
    log = LosingLog(now=asyncio.get_running_loop().time)
    async with Engine(log) as engine:
        await log.create(started("r"))
        await log.append("r", [TextDelta("lost")], epoch=1)
        cancelling = asyncio.ensure_future(engine.cancel("r"))
        while (await log.head("r")).cancel_requested_by is None:
            await asyncio.sleep(0)
        log.lose("r", end_offset=1)
        await log.replace("r", [ENDED])
        assert ENDED == (await cancelling).state.ended
