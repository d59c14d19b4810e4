"""The lease is kept while the process lives, and lost when it was silent for too long."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.processes import end_of, freeze, now_s, read_to_end, text_of, thaw
from tickertape.core.errors import ConfigurationError, LogUnavailable
from tickertape.core.events import RunEnded
from tickertape.engine.engine import Engine
from tickertape.providers.base import Route

pytestmark = pytest.mark.virtual_time

TERM_S = 5.0


async def started_run(engine, provider, request_, *sent):
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    if sent:
        provider.stream.send(*sent)
    await asyncio.sleep(0.01)
    return run_id


@pytest.mark.parametrize("setting", ["lease_term_s", "abandon_after_s"])
async def test_a_time_must_be_one(log, setting):
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match=setting):
        Engine(log, **{setting: 0})


async def test_one_renewal_covers_all_runs(processes, log, provider, request_):
    """Three in a term, however many runs there are."""
    renewals = []
    renew = log.renew

    async def count(holder, *, term_s):
        renewals.append((holder, term_s))
        return await renew(holder, term_s=term_s)

    log.renew = count
    engine = await processes.start(lease_term_s=3.0)
    await asyncio.sleep(0)
    for _ in range(10):
        await started_run(engine, provider, request_)
    await asyncio.sleep(8.95)
    assert [("process 0", 3.0)] * 10 == renewals


async def test_a_run_is_covered_from_its_creation(processes, log, provider, request_):
    """Also one that is started before the keeper's first turn, or after its loop was stalled."""
    engine = await processes.start()
    await freeze(engine)
    await started_run(engine, provider, request_)
    assert [] == await log.lapsed()
    await asyncio.sleep(2 * TERM_S)
    run_id = await started_run(engine, provider, request_)
    assert run_id not in [run.run_id for run in await log.lapsed()]


async def test_p2_a_stalled_process_finds_itself_fenced_and_stops(processes, provider, request_):
    """Even while its provider is silent; the other one's end stays the only one."""
    first, second = [await processes.start() for _ in range(2)]
    run_id = await started_run(first, provider, request_, "Hel")
    await freeze(first)
    records = await read_to_end(second, run_id)
    assert "producer_lost" == records[-1].event.error.code
    assert not provider.stream.is_closed  # it knows nothing yet
    thaw(first)
    await asyncio.sleep(0.01)
    assert provider.stream.is_closed
    assert 0 == first.running_runs
    after = await read_to_end(first, run_id)
    assert 1 == sum(isinstance(record.event, RunEnded) for record in after)


async def test_p2_a_fenced_writer_stores_nothing(processes, provider, request_, caplog):
    """Its provider speaks before it has looked at the clock: the log refuses."""
    first, second = [await processes.start() for _ in range(2)]
    run_id = await started_run(first, provider, request_, "Hel")
    await freeze(first)
    await end_of(second, run_id)
    provider.stream.send("lo")
    await asyncio.sleep(0.01)
    assert provider.stream.is_closed
    assert "Hel" == text_of(await read_to_end(second, run_id))
    assert "stopped writing" in caplog.text
    thaw(first)


async def test_a_stalled_process_whose_runs_nobody_took_goes_on(processes, provider, request_):
    """Its lease had run out, and nobody else was there."""
    engine = await processes.start()
    run_id = await started_run(engine, provider, request_, "Hel")
    await freeze(engine)
    await asyncio.sleep(10 * TERM_S)
    thaw(engine)
    await asyncio.sleep(TERM_S)
    provider.stream.finish("lo")
    records = await read_to_end(engine, run_id)
    assert ("Hello", "completed") == (text_of(records), records[-1].event.outcome)


async def test_p2_fencing_is_looked_for_again_where_the_log_did_not_answer(
    processes, log, provider, request_
):
    """Once is not enough: the run must not go on for ever."""
    first, second = [await processes.start() for _ in range(2)]
    run_id = await started_run(first, provider, request_)
    await freeze(first)
    await end_of(second, run_id)
    head = log.head
    refused = []

    async def refuse_once(run_id):
        refused.append(run_id)
        log.head = head
        raise LogUnavailable("no connection")

    log.head = refuse_once
    thaw(first)
    await asyncio.sleep(TERM_S)
    assert [run_id] == refused
    assert provider.stream.is_closed


async def test_leaving_is_bounded_whatever_the_log_does(processes, log, provider, request_, caplog):
    """A log that answers nothing any more keeps no process from ending; it is told."""
    engine = await processes.start()
    await started_run(engine, provider, request_, "Hi")

    async def hang(*_args, **_settings):
        await asyncio.Event().wait()

    log.append = log.release = log.head = hang
    began_at_s = now_s()
    await engine.__aexit__(None, None, None)
    assert now_s() <= began_at_s + 5
    assert provider.stream.is_closed
    assert "runs out by itself: no answer within 1 s" in caplog.text


async def test_a_process_that_drains_takes_over_nothing(processes, provider, request_):
    """It is about to go itself; its own runs stay covered meanwhile."""
    first, second = [await processes.start() for _ in range(2)]
    other = type(provider)()
    kept = (await second.start([Route(other, "m")], request_)).run_id
    lost = await started_run(first, provider, request_)
    draining = asyncio.ensure_future(second.drain(60))
    await processes.kill(first)
    await asyncio.sleep(4 * TERM_S)
    assert not (await second.head(lost)).is_closed
    other.stream.finish("Hi")
    await draining
    assert "completed" == (await end_of(second, kept)).outcome


async def test_p5_who_reads_another_process_s_run_is_let_go_when_this_one_stops(
    processes, provider, request_
):
    """With what is there so far; the run goes on, and so does its reader, elsewhere."""
    first, second = [await processes.start() for _ in range(2)]
    run_id = await started_run(first, provider, request_, "Hi")
    async with await second.tail(run_id) as tail:
        await tail.next()
        waiting = asyncio.ensure_future(tail.next())
        await asyncio.sleep(0)
        await second.drain(0)
        assert () == await waiting
        assert tail.is_over
    assert not (await first.head(run_id)).is_closed
    async with await second.tail(run_id) as late:
        assert await late.next()
        assert () == await late.next()
    provider.stream.finish()
    await end_of(first, run_id)


async def test_a_log_that_fails_is_told_once(processes, log, caplog):
    """And that it works again, once."""
    renew = log.renew

    async def fail(holder, *, term_s):
        raise LogUnavailable("no connection")

    await processes.start()
    log.renew = fail
    await asyncio.sleep(10 * TERM_S)
    log.renew = renew
    await asyncio.sleep(TERM_S)
    assert 1 == caplog.text.count("no connection")
    assert 1 == caplog.text.count("can be used again")
