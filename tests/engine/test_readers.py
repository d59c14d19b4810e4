"""Who reads: how many at once, and which runs."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import Busy, LogUnavailable
from tickertape.engine.readers import Readers
from tickertape.providers.base import Route

pytestmark = pytest.mark.virtual_time


def test_a_run_counts_as_read_until_it_was_passed_on_that_it_was():
    """Who stays is named each time; who left in between, once."""
    readers = Readers(10)
    readers.enter("stays")
    readers.enter("leaves")
    readers.leave("leaves")
    readers.note("looks once")
    assert {"stays", "leaves", "looks once"} == set(readers.seen())
    readers.passed_on(readers.seen())
    assert ["stays"] == readers.seen()


def test_a_run_is_read_until_its_last_reader_has_left():
    """Two of them count as one run."""
    readers = Readers(10)
    readers.enter("r")
    readers.enter("r")
    readers.leave("r")
    readers.passed_on(["r"])
    assert (["r"], 1) == (readers.seen(), len(readers))


async def test_a_full_server_takes_no_more_readers(processes, provider, request_):
    """Until one has left; cancelling needs no place."""
    engine = await processes.start(max_subscribers=2)
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    first, second = [await engine.tail(run_id) for _ in range(2)]
    for ask in (engine.tail(run_id), _as_coroutine(engine.require_place_for_reader)):
        with pytest.raises(Busy, match="all 2 places for readers") as refused:
            await ask
    assert refused.value.retry_after_s > 0
    first.close()
    first.close()
    third = await engine.tail(run_id)
    with pytest.raises(Busy):
        await engine.tail(run_id)
    await engine.cancel(run_id)
    second.close()
    third.close()


async def _as_coroutine(ask):
    ask()


async def test_a_tail_that_can_not_be_had_takes_no_place(processes, log, provider, request_):
    """The run went between the look and the watch."""
    engine = await processes.start(max_subscribers=1)
    run_id = (await engine.start([Route(provider, "m")], request_)).run_id
    watch, log.watch = log.watch, _fail
    with pytest.raises(RuntimeError):
        await engine.tail(run_id)
    log.watch = watch
    (await engine.tail(run_id)).close()


def _fail(_run_id, _wake):
    raise RuntimeError("gone")


async def start(engine, provider, request_):
    return (await engine.start([Route(provider, "m")], request_)).run_id


@pytest.fixture
async def two(processes):
    patient = Deadlines(first_progress_timeout_s=9000, run_timeout_s=9000)
    return [await processes.start(abandon_after_s=60.0, deadlines=patient) for _ in range(2)]


async def outcome(engine, run_id):
    state = (await engine.log.read(run_id, after=-1)).records[-1].event
    return getattr(state, "cancelled_by", None)


async def test_p4_a_run_that_nobody_reads_is_cancelled(two, provider, request_):
    """After its time, from its start; not before."""
    run_id = await start(two[0], provider, request_)
    await asyncio.sleep(59)
    assert not (await two[0].head(run_id)).is_closed
    await asyncio.sleep(11)
    assert "abandoned" == await outcome(two[0], run_id)
    assert provider.stream.is_closed


@pytest.mark.parametrize("where", [0, 1])
async def test_p4_a_run_that_somebody_reads_goes_on(two, provider, request_, where):
    """In whatever process, also where the reader takes nothing: its socket is slow."""
    run_id = await start(two[0], provider, request_)
    await asyncio.sleep(50)
    tail = await two[where].tail(run_id)
    await asyncio.sleep(600)
    assert not (await two[0].head(run_id)).is_closed
    tail.close()
    await asyncio.sleep(55)
    assert not (await two[0].head(run_id)).is_closed
    await asyncio.sleep(25)
    assert "abandoned" == await outcome(two[0], run_id)


async def test_p4_who_asks_how_it_stands_reads_it(two, provider, request_):
    """A client that polls the run as JSON has not left it."""
    run_id = await start(two[0], provider, request_)
    for _ in range(10):
        await asyncio.sleep(40)
        await two[1].snapshot(run_id)
    assert not (await two[0].head(run_id)).is_closed


async def test_without_the_setting_no_run_is_abandoned(processes, log, provider, request_):
    """And nobody is asked who reads."""
    engine = await processes.start()
    run_id = await start(engine, provider, request_)
    noted = []
    log.note_read = noted.append
    await asyncio.sleep(100)
    await engine.snapshot(run_id)
    await asyncio.sleep(10)
    assert ([], False) == (noted, (await engine.head(run_id)).is_closed)


async def test_p4_a_log_that_could_not_be_reached_abandons_nobody(two, log, provider, request_):
    """For all that could be known, somebody was reading."""
    run_id = await start(two[0], provider, request_)
    tail = await two[1].tail(run_id)
    head, note_read = log.head, log.note_read

    async def fail(*_args):
        raise LogUnavailable("no connection")

    log.head = log.note_read = fail
    await asyncio.sleep(300)
    log.head = head
    await asyncio.sleep(1.7)  # the writer can look again a little earlier than others can note
    log.note_read = note_read
    await asyncio.sleep(120)
    assert not (await two[0].head(run_id)).is_closed
    tail.close()
