"""The Redis log on a cluster of three nodes: slots that move, and nodes that are lost."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest

from tests.redis_cluster import RedisClusterServers
from tests.redis_server import require_redis
from tickertape.core.errors import LogUnavailable
from tickertape.core.events import TextDelta
from tickertape.engine.tail import Tail
from tickertape.logs.redis import RedisLog
from tickertape.logs.redis.connection import RedisConnection
from tickertape.logs.redis.keys import RedisKeys
from tickertape.logs.redis.link import key_slot
from tickertape.testing.log_contract import LogContract
from tickertape.testing.log_probes import ENDED, read_all, started, text_of

prefixes = itertools.count()
THIRDS = [16_384 * number // 3 for number in range(4)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """One cluster for all tests that leave it whole; each has a prefix of its own."""
    require_redis()
    with RedisClusterServers(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def own_cluster(tmp_path):
    """A cluster of the test's own, whose nodes it may kill; they keep what they have."""
    require_redis()
    with RedisClusterServers(tmp_path, "--appendonly", "yes") as cluster:
        yield cluster


class TestRedisClusterLog(LogContract):
    """P8: it keeps on a cluster what every log promises."""

    @pytest.fixture(autouse=True)
    def server(self, cluster):
        self.url = cluster.url
        self.places = {}

    def open_log(self, place, *, retention_s, now):
        number = self.places.setdefault(place, next(prefixes))
        return RedisLog(self.url, prefix=f"test-{number}:", retention_s=retention_s, now=now)

    def after_crash(self, place):
        return place


def quick_log(cluster, *, prefix, retry_for_s=10.0):
    """A log that loses patience with a connection soon."""
    port = RedisConnection(cluster.url, connect_timeout_s=1.0, answer_timeout_s=0.5)
    return RedisLog(cluster.url, prefix=prefix, retry_for_s=retry_for_s, port=port)


def runs_of(node, prefix):
    """Yield ids of runs that the node of that number has the slots of."""
    for number in itertools.count():
        slot = key_slot(RedisKeys(prefix).run(f"r{number}")[0])
        if THIRDS[node] <= slot < THIRDS[node + 1]:
            yield f"r{number}"


@asynccontextmanager
async def relayed(writer, reader, run_id):
    """A run, and the text that a reader of it gets, once it has ended."""
    await writer.create(started(run_id))
    async with Tail(reader, run_id, heartbeat_s=60.0) as tail:
        await tail.next()

        async def read():
            records = []
            while not tail.is_over:
                records += await tail.next()
            return text_of(records)

        reading = asyncio.ensure_future(read())
        yield reading
        await writer.append(run_id, [ENDED], epoch=1)
        await reading


async def append_words(log, run_id, count):
    """Append words one by one; return them."""
    words = [f"{number} " for number in range(count)]
    for word in words:
        await log.append(run_id, [TextDelta(word)], epoch=1)
    return "".join(words)


@asynccontextmanager
async def appended_meanwhile(log, run_id):
    """Append words as long as something else is done; give what becomes of it: their text."""
    is_over = asyncio.Event()

    async def append():
        words = []
        # Also some when all is over.
        while not is_over.is_set() or len(words) % 20:
            words.append(f"{len(words)} ")
            await log.append(run_id, [TextDelta(words[-1])], epoch=1)
        return "".join(words)

    appending = asyncio.ensure_future(append())
    yield appending
    is_over.set()
    await appending


@asynccontextmanager
async def two_logs(cluster, *, retry_for_s=10.0):
    """A writer's, a reader's, and the prefix that they share."""
    prefix = f"test-{next(prefixes)}:"
    quick = [quick_log(cluster, prefix=prefix, retry_for_s=retry_for_s) for _ in range(2)]
    async with quick[0] as writer, quick[1] as reader:
        yield writer, reader, prefix


async def test_readers_hear_runs_of_every_node(cluster):
    """And a request for a cancel, wherever it was made."""
    async with two_logs(cluster) as (writer, reader, prefix):
        for node in range(3):
            run_id = next(runs_of(node, prefix))
            told = asyncio.get_running_loop().create_future()
            watch = writer.watch_cancels(lambda *said, told=told: told.set_result(said))
            async with relayed(writer, reader, run_id) as reading:
                expected = await append_words(writer, run_id, 20)
                await reader.request_cancel(run_id, "user")
                assert (run_id, "user") == await told
            watch.close()
            assert expected == await reading


def begin_to_migrate(cluster, slot, source, target):
    """Move a slot's keys."""
    source_name, target_name = (cluster.name_of(node) for node in (source, target))
    assert target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source_name).startswith(b"+OK")
    assert source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target_name).startswith(b"+OK")
    keys = source.command("CLUSTER", "GETKEYSINSLOT", slot, 100).split(b"\r\n")[2::2]
    for key in keys:
        moved = source.command("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
        assert moved.startswith(b"+OK"), moved
    assert keys


def migrate(cluster, slot, source, target):
    """Move a slot and its keys, and tell every node."""
    begin_to_migrate(cluster, slot, source, target)
    name = cluster.name_of(target)
    for node in (target, source, *cluster.nodes):
        assert node.command("CLUSTER", "SETSLOT", slot, "NODE", name).startswith(b"+OK")


async def test_a_run_whose_slot_is_on_its_way_is_written_and_read(own_cluster):
    """Its keys have gone to a node that does not own the slot yet."""
    async with two_logs(own_cluster, retry_for_s=0.5) as (writer, reader, prefix):
        run_id = next(runs_of(0, prefix))
        slot = key_slot(RedisKeys(prefix).run(run_id)[0])
        await writer.create(started(run_id))
        nodes = own_cluster.nodes[:2]
        await asyncio.to_thread(begin_to_migrate, own_cluster, slot, *nodes)
        expected = await append_words(writer, run_id, 20)
        assert expected == text_of(await read_all(reader, run_id))
        await writer.append(run_id, [ENDED], epoch=1)
        assert (await reader.head(run_id)).is_closed


async def test_p1_a_slot_that_moves_loses_and_doubles_nothing(cluster):
    """To and fro, in the middle of appends: the writer follows, and so does the reader."""
    async with two_logs(cluster) as (writer, reader, prefix):
        run_id = next(runs_of(0, prefix))
        slot = key_slot(RedisKeys(prefix).run(run_id)[0])
        async with (
            relayed(writer, reader, run_id) as reading,
            appended_meanwhile(writer, run_id) as appending,
        ):
            for numbers in ((0, 1), (1, 2), (2, 0)):
                nodes = [cluster.nodes[number] for number in numbers]
                await asyncio.to_thread(migrate, cluster, slot, *nodes)
        assert await appending == await reading
        assert await appending == text_of(await read_all(reader, run_id))


async def test_a_node_that_is_lost_takes_only_its_own_slots_along(own_cluster):
    """Its runs are tried for a while; those of other nodes go on, and are heard."""
    async with two_logs(own_cluster, retry_for_s=1.0) as (writer, reader, prefix):
        run_ids = [next(runs_of(node, prefix)) for node in range(3)]
        await writer.create(started(run_ids[0]))
        # Of the first, which the URL names.
        await asyncio.to_thread(own_cluster.nodes[0].kill)
        for run_id in run_ids[1:]:
            async with relayed(writer, reader, run_id) as reading:
                expected = await append_words(writer, run_id, 20)
            assert expected == await reading
        with pytest.raises(LogUnavailable, match="can't be reached"):
            await writer.append(run_ids[0], [TextDelta("x")], epoch=1)


async def test_p1_a_node_that_comes_back_loses_and_doubles_nothing(own_cluster):
    """Killed, and started with what it kept, in the middle of appends."""
    async with two_logs(own_cluster) as (writer, reader, prefix):
        run_id = next(runs_of(2, prefix))
        async with (
            relayed(writer, reader, run_id) as reading,
            appended_meanwhile(writer, run_id) as appending,
        ):
            await asyncio.to_thread(own_cluster.nodes[2].restart)
        assert await appending == await reading


async def test_p1_a_replica_that_takes_over_loses_and_doubles_nothing(own_cluster):
    """It has all that was stored: the writer and the reader go on there."""
    async with two_logs(own_cluster) as (writer, reader, prefix):
        run_id = next(runs_of(0, prefix))
        async with (
            relayed(writer, reader, run_id) as reading,
            appended_meanwhile(writer, run_id) as appending,
        ):
            replica = await asyncio.to_thread(own_cluster.add_replica, own_cluster.nodes[0])
            await asyncio.to_thread(own_cluster.fail_over, replica)
            await asyncio.to_thread(own_cluster.nodes[0].kill)
        assert await appending == await reading
