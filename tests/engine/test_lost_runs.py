"""Runs that nobody writes are ended once, truthfully, and by one of many."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.processes import end_of, now_s, read_to_end, text_of
from tickertape.core.errors import LogUnavailable, RecordsLost
from tickertape.core.events import RunEnded, RunStarted, TextDelta, Usage, UsageReported
from tickertape.engine.lost_runs import BATCH
from tickertape.logs.memory import MemoryLog
from tickertape.providers.base import Route

pytestmark = pytest.mark.virtual_time

TERM_S = 5.0


async def started_run(engine, provider, request_, *sent, **settings):
    """Start a run, and return its id once what was sent is stored."""
    run_id = (await engine.start([Route(provider, "m")], request_, **settings)).run_id
    if sent:
        provider.stream.send(*sent)
    await asyncio.sleep(0.01)
    return run_id


async def test_p2_a_dead_process_s_run_is_ended_within_two_terms(processes, provider, request_):
    """`producer_lost`, with the length and usage of what is stored, under a new epoch."""
    first, second = [await processes.start() for _ in range(2)]
    usage = Usage(output_tokens=7)
    run_id = await started_run(first, provider, request_, "Hel", UsageReported(usage))
    await asyncio.sleep(30)  # a provider that thinks is no reason to take over
    assert not (await second.head(run_id)).is_closed
    await processes.kill(first)
    died_at_s = now_s()
    *_, end = await read_to_end(second, run_id)
    assert now_s() <= died_at_s + 2 * TERM_S
    assert ("failed", "producer_lost", 3, usage) == (
        end.event.outcome,
        end.event.error.code,
        end.event.length,
        end.event.usage,
    )
    assert end.epoch == 2


async def test_p2_a_process_that_leaves_gives_its_lease_back(processes, log, provider, request_):
    """What it could not end is ended at once, not when its lease has run out."""
    second = await processes.start()
    async with asyncio.TaskGroup() as group:
        first = await processes.start()
        run_id = await started_run(first, provider, request_)
        refused, log.append = log.append, _refuse
        leaving = group.create_task(first.__aexit__(None, None, None))
        await asyncio.sleep(1)
        log.append = refused
        await leaving
    left_at_s = now_s()
    assert "failed" == (await end_of(second, run_id)).outcome
    assert now_s() < left_at_s + TERM_S / 3 + 0.1


async def _refuse(run_id, events, *, epoch):
    raise LogUnavailable("the disk is full")


async def test_p2_of_many_who_want_a_run_one_ends_it(processes, log, provider, request_):
    """Whoever loses the race shrugs: one end, and nothing is logged as a fault."""
    first, *others = [await processes.start() for _ in range(6)]
    run_ids = []
    for _ in range(20):
        run_ids.append(await started_run(first, provider, request_, "Hi"))
    take_over = log.take_over
    races = []

    async def race(run_id, *, holder, epoch):
        races.append(run_id)
        await asyncio.sleep(0.5)  # everybody looks before anybody acts
        return await take_over(run_id, holder=holder, epoch=epoch)

    log.take_over = race
    await processes.kill(first)
    for run_id in run_ids:
        records = await read_to_end(others[0], run_id)
        ends = [record for record in records if isinstance(record.event, RunEnded)]
        assert ["producer_lost"] == [record.event.error.code for record in ends]
        assert 2 == ends[0].epoch
    assert len(races) > len(run_ids)


async def test_thousands_of_lost_runs_do_not_stall_the_loop(processes, log):
    """They are all ended, while the loop goes on."""
    count = 10 * BATCH + 1
    await log.renew("dead", term_s=1)
    for number in range(count):
        started = RunStarted(run_id=f"r{number}", model="m", provider="p", created_at=0)
        await log.create(started, holder="dead")
    engine = await processes.start()
    await asyncio.sleep(1)
    turns = 0
    while await log.lapsed(limit=1) or not (await engine.head(f"r{count - 1}")).is_closed:
        turns += 1
        await asyncio.sleep(0)
        if turns % 1000 == 0:
            await asyncio.sleep(1)
    assert turns > count / 8
    assert all([(await engine.head(f"r{number}")).is_closed for number in range(count)])


async def test_a_run_that_can_not_be_taken_over_keeps_no_other_from_it(processes, log, caplog):
    """The others are ended, though it stands before them."""
    broken = {f"r{number}" for number in range(BATCH + 5)}
    read = log.read

    async def read_or_fail(run_id, **where):
        if run_id in broken:
            raise RuntimeError("unreadable")
        return await read(run_id, **where)

    log.read = read_or_fail
    await log.renew("dead", term_s=1)
    for number in range(BATCH + 10):
        started = RunStarted(run_id=f"r{number}", model="m", provider="p", created_at=0)
        await log.create(started, holder="dead")
    engine = await processes.start()
    await asyncio.sleep(2 * TERM_S)
    assert [number >= BATCH + 5 for number in range(BATCH + 10)] == [
        (await engine.head(f"r{number}")).is_closed for number in range(BATCH + 10)
    ]
    assert "unreadable" in caplog.text


@pytest.mark.parametrize("when", ["before", "after"])
async def test_p4_a_cancel_is_not_forgotten_when_the_writer_dies(
    processes, log, provider, request_, when
):
    """Asked for just before or after its death, from another process: the end says who asked."""
    first, second = [await processes.start() for _ in range(2)]
    run_id = await started_run(first, provider, request_, "Hel")
    if when == "before":
        first._running.close()  # the request does not reach it
        await log.request_cancel(run_id, "user")
    await processes.kill(first)
    died_at_s = now_s()
    snapshot = await second.cancel(run_id)
    assert now_s() <= died_at_s + 2 * TERM_S
    ended = snapshot.state.ended
    assert ("cancelled", "user", None, 3) == (
        ended.outcome,
        ended.cancelled_by,
        ended.error,
        ended.length,
    )


async def test_p4_any_process_can_cancel(processes, provider, request_):
    """The provider is stopped in the process that writes the run."""
    first, second = [await processes.start() for _ in range(2)]
    run_id = await started_run(first, provider, request_, "Hel")
    ended = (await second.cancel(run_id)).state.ended
    assert ("cancelled", "user") == (ended.outcome, ended.cancelled_by)
    assert provider.stream.is_closed


class UnsteadyLog(MemoryLog):
    """A log that can't be written while it is down."""

    is_down = False

    async def append(self, run_id, events, *, epoch):
        self._require()
        return await super().append(run_id, events, epoch=epoch)

    async def take_over(self, run_id, *, holder, epoch):
        self._require()
        return await super().take_over(run_id, holder=holder, epoch=epoch)

    async def renew(self, holder, *, term_s):
        self._require()
        return await super().renew(holder, term_s=term_s)

    def _require(self):
        if self.is_down:
            raise LogUnavailable("no connection")


@pytest.fixture
async def log():
    return UnsteadyLog(now=asyncio.get_running_loop().time)


@pytest.mark.parametrize("down_s", [0.5, 3 * TERM_S, 600])
async def test_p2_a_run_whose_end_could_not_be_stored_is_ended_later(
    processes, log, provider, request_, down_s
):
    """As soon as the log is back: no reader hangs, and its place is free then."""
    engine = await processes.start(max_runs=1)
    run_id = await started_run(engine, provider, request_, "stored")
    log.is_down = True
    provider.stream.finish(" lost")
    await asyncio.sleep(down_s)
    assert provider.stream.is_closed
    log.is_down = False
    back_at_s = now_s()
    records = await read_to_end(engine, run_id)
    assert now_s() <= back_at_s + TERM_S / 3 + 0.1
    assert "stored" == text_of(records)
    assert ("failed", "internal", 6) == (
        records[-1].event.outcome,
        records[-1].event.error.code,
        records[-1].event.length,
    )
    await asyncio.sleep(1)
    await engine.start([Route(provider, "m")], request_)


async def test_p4_an_unended_run_that_was_cancelled_ends_cancelled(
    processes, log, provider, request_
):
    """Cancelled while the log was down: that is how it ends."""
    engine = await processes.start()
    run_id = await started_run(engine, provider, request_, "stored")
    log.is_down = True
    cancelling = asyncio.ensure_future(engine.cancel(run_id))
    await asyncio.sleep(20)
    log.is_down = False
    ended = (await cancelling).state.ended
    assert ("cancelled", "user", 6) == (ended.outcome, ended.cancelled_by, ended.length)


async def test_p2_a_take_over_that_stopped_half_way_is_finished(processes, log, provider, request_):
    """The run is this process's by then, so no other would end it."""
    first, second = [await processes.start() for _ in range(2)]
    run_id = await started_run(first, provider, request_, "Hi")
    taken = asyncio.Event()
    take_over = log.take_over

    async def take_over_and_fail(run_id, *, holder, epoch):
        await take_over(run_id, holder=holder, epoch=epoch)
        log.take_over = take_over
        taken.set()
        raise LogUnavailable("no connection")

    log.take_over = take_over_and_fail
    await processes.kill(first)
    await taken.wait()
    assert "producer_lost" == (await end_of(second, run_id)).error.code


async def test_p1_a_log_that_lost_records_ends_the_run_under_a_new_epoch(
    processes, log, provider, request_
):
    """With the length of what is left, so that no reader takes the old text for the new."""
    engine = await processes.start()
    run_id = await started_run(engine, provider, request_, "kept")
    provider.stream.send(" and lost")
    await asyncio.sleep(0.01)
    append = log.append

    async def lose(run_id, events, *, epoch):
        if epoch == 1:
            del log._runs[run_id].records[2:]
            raise RecordsLost(run_id)
        return await append(run_id, events, epoch=epoch)

    log.append = lose
    provider.stream.send(" and more")
    await asyncio.sleep(1)
    records = await read_to_end(engine, run_id)
    assert "kept" == text_of(records)
    end = records[-1]
    assert (2, "failed", "internal", 4) == (
        end.epoch,
        end.event.outcome,
        end.event.error.code,
        end.event.length,
    )
    assert "lost" in end.event.error.message
    assert provider.stream.is_closed


async def test_p7_a_run_that_was_created_unheard_does_not_hang(processes, log, provider, request_):
    """Its start failed, but its key names it: who joins it learns the truth."""
    engine = await processes.start()
    create = log.create

    async def create_and_fail(*args, **settings):
        await create(*args, **settings)
        log.create = create
        raise LogUnavailable("no connection")

    log.create = create_and_fail
    with pytest.raises(LogUnavailable):
        await engine.start([Route(provider, "m")], request_, idempotency_key="k")
    joined = await engine.start([Route(provider, "m")], request_, idempotency_key="k")
    assert not joined.is_new
    assert "producer_lost" == (await end_of(engine, joined.run_id)).error.code


async def test_p7_a_run_that_was_not_created_is_forgotten(processes, log, provider, request_):
    """A log that was away for a moment leaves no place taken, and nothing to look for."""
    engine = await processes.start(max_runs=1)
    create = log.create

    async def fail(*args, **settings):
        raise LogUnavailable("no connection")

    log.create = fail
    with pytest.raises(LogUnavailable):
        await engine.start([Route(provider, "m")], request_)
    log.create = create
    await engine.start([Route(provider, "m")], request_)
    asked = []
    head = log.head

    async def note(run_id):
        asked.append(run_id)
        return await head(run_id)

    log.head = note
    await asyncio.sleep(2 * TERM_S)
    assert asked
    await asyncio.sleep(2 * TERM_S)
    asked.clear()
    await asyncio.sleep(2 * TERM_S)
    assert [] == asked


async def test_p9_a_lost_run_has_timings(processes, provider, request_):
    """Those of its records: nobody knows better."""
    first, second = [await processes.start() for _ in range(2)]
    run_id = await started_run(first, provider, request_)
    await asyncio.sleep(1)
    provider.stream.send(TextDelta("a"))
    await asyncio.sleep(2)
    provider.stream.send(TextDelta("b"))
    await asyncio.sleep(1)
    await processes.kill(first)
    timings = (await end_of(second, run_id)).timings
    assert (1.01, 3.01) == (timings.first_progress_s, timings.duration_s)
