"""What the Redis log leaves in Redis, and what it costs there and here."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tickertape.core.errors import RunTrimmed
from tickertape.core.events import TextDelta
from tickertape.core.record import BEGINNING
from tickertape.engine.tail import Tail
from tickertape.logs.redis import RedisLog
from tickertape.testing.log_probes import ENDED, Bell, Clock, read_all, started, text_of

numbers = itertools.count()


@pytest.fixture
def prefix():
    return f"keeping-{next(numbers)}:"


@pytest.fixture
async def log(redis_server, prefix):
    async with RedisLog(redis_server.url, prefix=prefix, retention_s=60.0) as log:
        yield log


def ask(server, *words):
    """Return what `EVAL` says, as a list of words."""
    return server.command("EVAL", *words).decode().split("\r\n")


def keys_without_a_lifetime(server, prefix):
    script = (
        "local found = '' for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do "
        "if redis.call('PTTL', key) < 0 then found = found .. key .. ' ' end end return found"
    )
    return ask(server, script, 0, prefix)[1]


def keys_of(server, prefix):
    script = "return table.concat(redis.call('KEYS', ARGV[1] .. '*'), ' ')"
    return sorted(ask(server, script, 0, prefix)[1].split())


async def busy_history(log):
    await log.renew("a", term_s=10.0)
    for number in range(4):
        run_id = f"run-{number}"
        await log.create(started(run_id), holder="a", idempotency_key=f"k{number}", owner="ann")
        await log.append(run_id, [TextDelta("a")], epoch=1)
    await log.append("run-0", [ENDED], epoch=1)
    await log.release("a")
    await log.renew("b", term_s=10.0)
    epoch = await log.take_over("run-1", holder="b", epoch=1)
    await log.append("run-1", [TextDelta("b")], epoch=epoch)
    await log.request_cancel("run-2", "user")
    await log.note_read(["run-3", "nobody"])
    await log.request_cancel("run-0", "user")
    assert ["run-2", "run-3"] == sorted(run.run_id for run in await log.lapsed())
    await log.check()


async def test_every_key_has_a_lifetime(redis_server, prefix, log):
    """Whatever was done: Redis is clean again when all of it is over."""
    await busy_history(log)
    assert 4 * 3 + 1 <= len(keys_of(redis_server, prefix))
    assert "" == keys_without_a_lifetime(redis_server, prefix)


async def test_all_keys_have_the_prefix(redis_server, prefix, log):
    """Two logs in one Redis don't meet."""
    before = set(keys_of(redis_server, ""))
    await busy_history(log)
    added = set(keys_of(redis_server, "")) - before
    assert all(key.startswith(prefix) for key in added)
    async with RedisLog(redis_server.url, prefix=f"other-{prefix}") as other:
        assert await other.find("k0", owner="ann") is None
        assert [] == list(await other.lapsed())


async def test_an_open_run_lives_as_long_as_it_is_written(redis_server, log):
    """Its lifetime begins anew with an append, once half of it is over."""
    await log.create(started("r"))
    meta, records = log._keys.run("r")
    for key in (meta, records):
        redis_server.command("PEXPIRE", key, 60_000)
    await log.append("r", [TextDelta("a")], epoch=1)
    for key in (meta, records):
        left_ms = int(redis_server.command("PTTL", key)[1:])
        assert left_ms > 6 * 86_400_000


async def test_a_reader_that_is_late_is_told_that_the_run_is_trimmed(redis_server, prefix):
    """The records go when they are due; what is known of the run stays for some days more."""
    clock = Clock()
    async with RedisLog(redis_server.url, prefix=prefix, retention_s=60.0, now=clock) as log:
        await log.create(started("r"))
        await log.append("r", [ENDED], epoch=1)
        meta, records = log._keys.run("r")
        assert 60_000 < int(redis_server.command("PTTL", records)[1:]) <= 120_000
        assert int(redis_server.command("PTTL", meta)[1:]) > 6 * 86_400_000
        redis_server.command("DEL", records)
    async with RedisLog(redis_server.url, prefix=prefix, retention_s=60.0, now=clock) as log:
        with pytest.raises(RunTrimmed):
            await log.read("r", after=BEGINNING)


async def test_p6_two_connections_serve_any_number_of_readers(redis_server, prefix):
    """200 watches on 20 runs that another process writes: all are told, over two connections."""
    name = b"idle="
    async with RedisLog(redis_server.url, prefix=prefix) as writer:
        for number in range(20):
            await writer.create(started(f"run-{number}"))
        before = redis_server.command("CLIENT", "LIST").count(name)
        async with RedisLog(redis_server.url, prefix=prefix) as reader:
            tails = [Tail(reader, f"run-{number % 20}", heartbeat_s=60.0) for number in range(200)]
            readings = [asyncio.ensure_future(rest_of(tail)) for tail in tails]
            for number in range(20):
                await writer.append(f"run-{number}", [TextDelta("a")], epoch=1)
            async with asyncio.timeout(20):
                while any(tail.cursor.offset < 1 for tail in tails):
                    await asyncio.sleep(0.01)
            assert 2 == redis_server.command("CLIENT", "LIST").count(name) - before
            for number in range(20):
                await writer.append(f"run-{number}", [ENDED], epoch=1)
            assert {"a"} == {text_of(records) for records in await asyncio.gather(*readings)}
            assert b"*1\r\n" not in redis_server.command("PUBSUB", "CHANNELS", prefix + "tape:*")


async def rest_of(tail):
    records = []
    while not tail.is_over:
        records += await tail.next()
    return records


async def test_live_readers_are_served_from_memory(redis_server, prefix, monkeypatch):
    """Of the process that writes, and of one that hears: Redis is asked for nothing more."""
    async with (
        RedisLog(redis_server.url, prefix=prefix) as writer,
        RedisLog(redis_server.url, prefix=prefix) as reader,
    ):
        await writer.create(started("r"))
        bell = Bell()
        reader.watch("r", bell.ring)
        await bell.rung()
        monkeypatch.setattr(reader._calls, "do", None)
        await writer.append("r", [TextDelta("a")], epoch=1)
        await bell.rung()
        assert "a" == text_of((await reader.read("r", after=0)).records)
        assert [] == list((await reader.read("r", after=1)).records)
        monkeypatch.setattr(writer._calls, "do", None)
        assert "a" == text_of((await writer.read("r", after=BEGINNING)).records)


async def test_p6_what_is_remembered_is_bounded(log):
    """Of one run, and of runs that are over; the rest is read from Redis."""
    await log.create(started("r"))
    for _ in range(40):
        await log.append("r", [TextDelta("x")] * 50, epoch=1)
    assert len(log._hearing.get("r").records) <= 600
    assert 2001 == len(await read_all(log, "r"))
    for number in range(100):
        await log.create(started(f"s{number}"))
        await log.append(f"s{number}", [ENDED], epoch=1)
    assert len(log._hearing._runs) <= 65


async def test_what_a_holder_no_longer_holds_is_taken_out(redis_server, log):
    """Runs that ended, with the next lease; runs that were taken over, by who looks."""
    held = log._keys.held("a")
    await busy_history(log)
    assert b":2\r\n" == redis_server.command("SCARD", held)
    await log.renew("a", term_s=10.0)
    await log.append("run-2", [ENDED], epoch=1)
    await log.renew("a", term_s=10.0)
    assert b":1\r\n" == redis_server.command("SCARD", held)
