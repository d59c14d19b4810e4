"""What the Redis log does when Redis is away, late, full, fenced off, or has lost something."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import signal
from contextlib import asynccontextmanager

import pytest

from tests.redis_server import RedisServer
from tickertape.core.errors import (
    ConfigurationError,
    LogUnavailable,
    RecordsLost,
    StaleEpoch,
    UnknownRun,
)
from tickertape.core.events import TextDelta
from tickertape.core.record import BEGINNING
from tickertape.engine.tail import Tail
from tickertape.logs.base import LapsedRun
from tickertape.logs.redis import RedisLog
from tickertape.logs.redis.connection import RedisConnection
from tickertape.testing.log_probes import ENDED, Bell, read_all, started, text_of

KEPT = ("--appendonly", "yes")


@pytest.fixture
def server(tmp_path):
    """A server of the test's own, which forgets everything with its process."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def kept(tmp_path):
    """The same, which keeps everything that it acknowledged."""
    with RedisServer(tmp_path / "redis", *KEPT) as server:
        yield server


def quick_log(server, *, retry_for_s=10.0, answer_timeout_s=0.5):
    """A log that loses patience with a connection soon."""
    port = RedisConnection(server.url, connect_timeout_s=1.0, answer_timeout_s=answer_timeout_s)
    return RedisLog(server.url, retry_for_s=retry_for_s, port=port)


@asynccontextmanager
async def writer_and_reader(server):
    """Two processes' logs, one run, and a reader of it that has its first record."""
    async with quick_log(server) as writer, quick_log(server) as reader:
        await writer.create(started("r"))
        async with Tail(reader, "r", heartbeat_s=60.0) as tail:
            await tail.next()
            yield writer, tail


async def rest_of(tail):
    records = []
    while not tail.is_over:
        records += await tail.next()
    return records


async def append_words(log, count, *, first=0):
    for number in range(first, first + count):
        await log.append("r", [TextDelta(f"{number} ")], epoch=1)


def cut_at_next_answer(log, *, passed=0):
    """Let the next answer be lost with its connection, which is returned; or a later one."""
    link = log._port._node._link
    heard = link._heard
    numbers = itertools.count()

    def cut(reply):
        if next(numbers) < passed:
            heard(reply)
        else:
            link.abort("a test cuts it")

    link._heard = cut
    return link


def words(count):
    return "".join(f"{number} " for number in range(count))


async def test_p1_a_restart_loses_and_doubles_nothing(kept):
    """Killed in the middle of appends and started again: the writer and the reader go on."""
    async with writer_and_reader(kept) as (writer, tail):
        reading = asyncio.ensure_future(rest_of(tail))
        bell = Bell()
        writer.watch("r", bell.ring)
        for turn in range(4):
            appending = asyncio.ensure_future(append_words(writer, 50, first=50 * turn))
            for _ in range(20):
                await bell.rung()
            await asyncio.to_thread(kept.restart)
            await appending
        await writer.append("r", [ENDED], epoch=1)
        assert words(200) == text_of(await reading)
        assert words(200) == text_of(await read_all(writer, "r"))


async def test_p1_a_killed_connection_loses_and_doubles_nothing(server):
    """Again and again, in the middle of appends."""
    async with writer_and_reader(server) as (writer, tail):
        reading = asyncio.ensure_future(rest_of(tail))
        appending = asyncio.ensure_future(append_words(writer, 300))
        kills = 0
        while not appending.done() and kills < 30:
            kind = ("normal", "pubsub")[kills % 2]
            await asyncio.to_thread(server.command, "CLIENT", "KILL", "TYPE", kind)
            kills += 1
        await appending
        await writer.append("r", [ENDED], epoch=1)
        assert words(300) == text_of(await reading)
        assert kills > 3


async def test_p1_a_repeated_append_is_stored_once(server):
    """The answer is lost, not the append."""
    async with quick_log(server) as log:
        await log.create(started("r"))
        link = cut_at_next_answer(log)
        assert 2 == await log.append("r", [TextDelta("once")], epoch=1)
        assert log._port._node._link is not link
        assert 3 == await log.append("r", [ENDED], epoch=1)
        assert "once" == text_of(await read_all(log, "r"))


async def test_an_append_is_not_taken_for_the_repetition_of_another(server):
    """One that came late, after its writer had given it up, is as long and in its place."""
    async with quick_log(server) as late, quick_log(server) as log:
        await log.create(started("r"))
        assert 2 == await late.append("r", [TextDelta("late")], epoch=1)
        assert 3 == await log.append("r", [ENDED], epoch=1)
        assert [TextDelta("late"), ENDED] == [
            record.event for record in (await read_all(late, "r"))[1:]
        ]


async def test_p2_a_repeated_end_is_stored_once(server):
    """The run is closed by the append whose answer was lost."""
    async with quick_log(server) as log:
        await log.create(started("r"))
        cut_at_next_answer(log)
        assert 2 == await log.append("r", [ENDED], epoch=1)
        assert (await log.head("r")).is_closed


@pytest.mark.parametrize("passed", [0, 1], ids=["the key's", "the run's"])
async def test_p7_a_repeated_start_is_new_once(server, passed):
    """The start of which an answer was lost is still the one that writes."""
    async with quick_log(server) as log:
        await log.create(started("c"), idempotency_key="other")  # Redis knows the scripts now
        cut_at_next_answer(log, passed=passed)
        created = await log.create(started("a"), idempotency_key="k")
        assert ("a", True) == (created.run_id, created.is_new)
        assert not (await log.create(started("b"), idempotency_key="k")).is_new


async def test_p7_a_start_that_died_between_the_key_and_the_run_is_gone_on_with(server):
    """The next one with the key creates that run, and the first finds it there."""
    async with quick_log(server) as log:
        await log._starts._claim("a", "k", owner=None, fingerprint="")
        assert await log.find("k") is None
        created = await log.create(started("b"), idempotency_key="k")
        assert ("a", True) == (created.run_id, created.is_new)
        assert [started("a")] == [record.event for record in await read_all(log, "a")]
        late = await log.create(started("a"), idempotency_key="k")
        assert ("a", False) == (late.run_id, late.is_new)


async def test_p5_a_redis_that_stands_still_holds_nobody_up_for_ever(server):
    """Stopped, not gone: calls give up in their time, and go on when it does."""
    async with quick_log(server, retry_for_s=0.5, answer_timeout_s=0.2) as log:
        await log.create(started("r"))
        server.signal(signal.SIGSTOP)
        try:
            with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1"):
                await log.append("r", [TextDelta("a")], epoch=1)
            with pytest.raises(LogUnavailable, match="no answer within"):
                await log.check()
        finally:
            server.signal(signal.SIGCONT)
        await log.append("r", [TextDelta("b")], epoch=1)
        records = await read_all(log, "r")
        assert text_of(records) in {"b", "ab"}
        assert list(range(len(records))) == [record.offset for record in records]


async def test_p1_a_pause_is_waited_for(server):
    """Longer than an answer may take: the call is repeated until it gets one."""
    async with writer_and_reader(server) as (writer, tail):
        server.command("CLIENT", "PAUSE", "900", "ALL")
        await append_words(writer, 5)
        await writer.append("r", [ENDED], epoch=1)
        assert words(5) == text_of(await rest_of(tail))


async def test_p5_a_half_open_connection_for_wake_ups_is_found_out(server):
    """Nothing comes any more, and nobody says so: it is asked, given up and made anew."""
    async with writer_and_reader(server) as (writer, tail):
        reading = asyncio.ensure_future(rest_of(tail))
        ear = tail._log._port._ear
        while ear._link is None:
            await asyncio.sleep(0)
        ear._link._heard = lambda reply: None
        await append_words(writer, 3)
        await writer.append("r", [ENDED], epoch=1)
        assert words(3) == text_of(await reading)


async def test_p2_a_redis_that_forgot_everything_is_found_out(server):
    """The writer is told, and so is the reader; nothing is stored in place of it."""
    async with writer_and_reader(server) as (writer, tail):
        await append_words(writer, 3)
        while tail.cursor.offset < 3:
            await tail.next()
        reading = asyncio.ensure_future(rest_of(tail))
        await asyncio.to_thread(server.restart)
        with pytest.raises(RecordsLost):
            await writer.append("r", [TextDelta("x")], epoch=1)
        with pytest.raises(RecordsLost):
            await reading
        with pytest.raises(UnknownRun):
            await writer.head("r")


async def test_p1_a_redis_that_went_back_never_shows_two_histories(tmp_path):
    """Its last records are gone: who read them is told, and who comes later sees one end."""
    folder = tmp_path / "redis"
    with RedisServer(folder, *KEPT) as server:
        async with writer_and_reader(server) as (writer, tail):
            await append_words(writer, 2)
            while tail.cursor.offset < 2:
                await tail.next()
            yesterday = shutil.copytree(folder, tmp_path / "yesterday")
            await append_words(writer, 2, first=2)
            while tail.cursor.offset < 4:
                await tail.next()
            reading = asyncio.ensure_future(rest_of(tail))
            server.kill()
            shutil.rmtree(folder)
            yesterday.rename(folder)
            await asyncio.to_thread(server.start)
            with pytest.raises(RecordsLost):
                await append_words(writer, 1, first=4)
            with pytest.raises(RecordsLost):
                await reading
            assert words(2) == text_of(await read_all(writer, "r"))


async def test_p2_a_run_that_lost_records_can_be_ended(server):
    """Its holder takes it over, and ends it where it is now."""
    async with quick_log(server) as log:
        await log.create(started("r"), holder="a")
        await append_words(log, 3)
        meta, records = log._keys.run("r")
        server.command("HSET", meta, "end", "3")
        server.command("XDEL", records, "4-1")
        bell = Bell()
        watch = log.watch("r", bell.ring)
        with pytest.raises(RecordsLost):
            await append_words(log, 1, first=3)
        await bell.rung()
        epoch = await log.take_over("r", holder="a", epoch=1)
        assert 4 == await log.append("r", [ENDED], epoch=epoch)
        with pytest.raises(RecordsLost):
            await log.read("r", after=3)
        watch.close()
        records = await read_all(log, "r")
        assert (words(2), ENDED) == (text_of(records), records[-1].event)


async def test_p2_a_run_whose_end_redis_has_lost_is_ended_again(server):
    """Nobody writes it any more, though its holder lives: who looks for lapsed runs is told."""
    async with quick_log(server) as log:
        log.watch_cancels(lambda run_id, by: None)
        await log.renew("a", term_s=60.0)
        await log.create(started("r"), holder="a")
        await append_words(log, 1)
        await log.append("r", [ENDED], epoch=1)
        assert (await log.read("r", after=1)).is_closed
        assert [] == list(await log.lapsed())
        meta, records = log._keys.run("r")
        server.command("HSET", meta, "end", "2")
        server.command("HDEL", meta, "closed_at")
        server.command("XDEL", records, "3-1")
        while log._port._ear._link is None:
            await asyncio.sleep(0)
        lost = log._port._ear._link
        server.command("CLIENT", "KILL", "TYPE", "pubsub")
        while log._port._ear._link in {lost, None}:
            await asyncio.sleep(0)
        assert not (await log.read("r", after=0)).is_closed
        assert [LapsedRun("r", 1)] == list(await log.lapsed())
        epoch = await log.take_over("r", holder="a", epoch=1)
        assert [] == list(await log.lapsed())
        await log.append("r", [ENDED], epoch=epoch)
        assert (await log.read("r", after=1)).is_closed
        assert [] == list(await log.lapsed())


async def test_p1_a_hole_in_the_records_is_said(server):
    """By whoever reads there."""
    async with quick_log(server) as writer, quick_log(server) as reader:
        await writer.create(started("r"))
        await append_words(writer, 3)
        server.command("XDEL", writer._keys.run("r")[1], "3-1")
        with pytest.raises(RecordsLost):
            await reader.read("r", after=BEGINNING)
        assert "2 " == text_of((await reader.read("r", after=2)).records)


async def test_what_is_no_append_of_ours_does_no_harm(server):
    """On the channel it is passed over; in the records it is said."""
    async with writer_and_reader(server) as (writer, tail):
        await append_words(writer, 1)
        await tail.next()
        for payload in ("", "x", "2 {", "2 [1,1.0,[{}]]"):
            server.command("PUBLISH", writer._keys.tape("r"), payload)
        await append_words(writer, 1, first=1)
        await writer.append("r", [ENDED], epoch=1)
        assert "1 " == text_of(await rest_of(tail))
        server.command("XADD", writer._keys.run("r")[1], "5-1", "r", "{")
        server.command("HSET", writer._keys.run("r")[0], "end", "5")
        async with quick_log(server) as late:
            with pytest.raises(LogUnavailable, match="no append of ours"):
                await late.read("r", after=3)


async def test_a_writer_that_was_taken_over_hears_the_run_from_then_on(server):
    """Its readers follow the other one."""
    async with quick_log(server) as first, quick_log(server) as second:
        await first.create(started("r"), holder="a")
        async with Tail(first, "r", heartbeat_s=60.0) as tail:
            epoch = await second.take_over("r", holder="b", epoch=1)
            with pytest.raises(StaleEpoch):
                await first.append("r", [TextDelta("late")], epoch=1)
            await second.append("r", [TextDelta("b"), ENDED], epoch=epoch)
            assert "b" == text_of(await rest_of(tail))


async def test_p6_a_run_that_redis_has_open_again_is_heard_again(server):
    """Its end was heard here, and then lost: who comes now is told how it goes on."""
    async with writer_and_reader(server) as (writer, tail):
        key, records = writer._keys.run("r")
        await writer.append("r", [ENDED], epoch=1)
        await rest_of(tail)
        server.command("HDEL", key, "closed_at")
        server.command("HSET", key, "end", 1, "holder", "b")
        server.command("XDEL", records, "2-1")
        reader = tail._log
        reader._hearing.lost()
        async with Tail(reader, "r", heartbeat_s=60.0) as late, quick_log(server) as other:
            await late.next()
            reading = asyncio.ensure_future(rest_of(late))
            while not reader._hearing.get("r").is_live:
                await asyncio.sleep(0)
            # As another writer would do it, after the loss.
            epoch = await other.take_over("r", holder="b", epoch=1)
            await other.append("r", [TextDelta("b"), ENDED], epoch=epoch)
            assert "b" == text_of(await reading)


async def test_p6_a_comparison_that_is_late_changes_nothing(server):
    """Another one has begun since, and is done: the reader is told of what comes."""
    async with writer_and_reader(server) as (writer, tail):
        hearing, do = tail._log._hearing, tail._log._calls.do
        run = hearing.get("r")
        while not run.is_live:
            await asyncio.sleep(0)
        gates = [asyncio.Event(), asyncio.Event()]
        asked = []

        async def hold(*call):
            asked.append(gates[len(asked)])
            gate = asked[-1]
            reply = await do(*call)
            await gate.wait()
            return reply

        tail._log._calls.do = hold
        gates[1].set()
        for number in (1, 2):
            hearing.lost()
            hearing.subscribed(run.tape)
            while len(asked) < number:
                await asyncio.sleep(0)
        while not run.is_live:
            await asyncio.sleep(0)
        del tail._log._calls.do
        gates[0].set()
        await asyncio.gather(*hearing._tasks)
        assert run.is_live
        await writer.append("r", [TextDelta("a"), ENDED], epoch=1)
        assert "a" == text_of(await rest_of(tail))


async def test_p1_a_take_over_that_was_lost_shares_its_epoch_with_no_other(server):
    """Redis has the run as it was before, and somebody who knows of nothing takes it over."""
    epochs = []
    numbers = iter([0.1, 0.2])
    for holder in ("b", "c"):
        async with RedisLog(server.url, random=lambda: next(numbers)) as log:
            if not epochs:
                await log.create(started("r"), holder="a")
                before = server.command("DUMP", log._keys.run("r")[0]).split(b"\r\n", 1)[1][:-2]
            epochs.append(await log.take_over("r", holder=holder, epoch=1))
        server.command("RESTORE", log._keys.run("r")[0], 0, before, "REPLACE")
    assert len({1, *epochs}) == 3


async def test_a_writer_that_may_have_been_taken_over_hears_the_run(server):
    """Its lease had run out: it does not trust that it alone writes."""
    async with quick_log(server) as first, quick_log(server) as second:
        await first.renew("a", term_s=0.001)
        await first.create(started("r"), holder="a")
        async with Tail(first, "r", heartbeat_s=60.0) as tail:
            reading = asyncio.ensure_future(rest_of(tail))
            while not (lapsed := await second.lapsed()):
                pass
            assert ["r"] == [run.run_id for run in lapsed]
            epoch = await second.take_over("r", holder="b", epoch=lapsed[0].epoch)
            await second.append("r", [TextDelta("b"), ENDED], epoch=epoch)
            assert not await first.renew("a", term_s=10.0)
            assert "b" == text_of(await reading)


async def test_p4_a_cancel_whose_message_was_lost_is_told_with_the_next_append(server):
    """The channel forgets; the run does not."""
    async with quick_log(server) as writer, quick_log(server) as other:
        await writer.create(started("r"))
        told = []
        writer.watch_cancels(lambda run_id, by: told.append((run_id, by)))
        server.command("HSET", writer._keys.run("r")[0], "cancel_by", "user")
        assert "user" == (await other.head("r")).cancel_requested_by
        await writer.append("r", [TextDelta("a")], epoch=1)
        assert ("r", "user") in told


async def test_p4_a_cancel_from_another_process_is_told(server):
    """And again by one that asks when the connection for messages has been made anew."""
    async with quick_log(server) as writer, quick_log(server) as other:
        await writer.create(started("r"))
        bell = Bell()
        writer.watch_cancels(lambda run_id, by: bell.ring())
        await other.request_cancel("r", "user")
        await bell.rung()
        await asyncio.to_thread(server.command, "CLIENT", "KILL", "TYPE", "pubsub")
        await bell.rung()


async def test_a_cancelled_append_that_was_stored_reaches_the_readers(server):
    """Though nothing is appended after it."""
    async with quick_log(server) as log:
        await log.create(started("r"))
        bell = Bell()
        log.watch("r", bell.ring)
        appending = asyncio.ensure_future(log.append("r", [TextDelta("a")], epoch=1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        appending.cancel()
        await bell.rung()
        records = await read_all(log, "r")
        assert 3 == await log.append("r", [ENDED], epoch=1)
        assert "a" == text_of(records)


async def test_a_full_redis_refuses_and_is_said_to_be_full(server):
    """At once, by name, and without harm to what is stored."""
    async with quick_log(server) as log:
        await log.create(started("r"))
        server.command("CONFIG", "SET", "maxmemory", "1")
        refusals = [
            log.append("r", [TextDelta("a")], epoch=1),
            log.create(started("s")),
            log.check(),
        ]
        for refusal in refusals:
            with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1.*raise maxmemory"):
                await refusal
        assert 1 == (await log.head("r")).end_offset
        with pytest.raises(ConfigurationError, match="raise maxmemory"):
            await quick_log(server).open()
        server.command("CONFIG", "SET", "maxmemory", "0")
        assert 2 == await log.append("r", [TextDelta("a")], epoch=1)


async def test_p5_a_closed_log_answers_at_once(server):
    """Calls in flight, and calls that are made later."""
    log = quick_log(server, retry_for_s=60.0)
    await log.open()
    await log.create(started("r"))
    server.signal(signal.SIGSTOP)
    appending = asyncio.ensure_future(log.append("r", [TextDelta("a")], epoch=1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await log.close()
    server.signal(signal.SIGCONT)
    with pytest.raises(LogUnavailable, match="closed"):
        await appending
    with pytest.raises(LogUnavailable, match="closed"):
        await log.head("r")
    await log.close()
