"""What a storm leaves behind: file descriptors, threads, memory, connections, keys.

Waits until things have come to rest, and says what has not come back to where it began.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from tests.chaos.process import Footprint
from tests.chaos.redis import RedisServer
from tests.chaos.servers import Server

COMES_TO_REST_WITHIN_S = 20.0
# Which thread of a pool has been started yet is chance; so is what the allocator gives back.
_MORE_THREADS = 2
# Each connection to SQLite opens the write-ahead file when it first needs it.
_MORE_FILES = 1
_MORE_MIB = 32.0


class Census(Struct, frozen=True):
    """What there is at one moment."""

    servers: tuple[Footprint, ...]
    running_runs: int
    redis_connections: int

    def __str__(self) -> str:
        servers = "; ".join(map(str, self.servers))
        return f"{servers}; {self.redis_connections} connections to Redis"


async def take_census(servers: Sequence[Server], redis: RedisServer | None) -> Census:
    """Count what there is now. Everything must be running."""
    return Census(
        servers=tuple(server.footprint() for server in servers),
        running_runs=sum([await server.running_runs() for server in servers]),
        redis_connections=await redis.connections() if redis is not None else 0,
    )


async def take_census_at_rest(servers: Sequence[Server], redis: RedisServer | None) -> Census:
    """Count what there is as soon as it has been the same for a second."""
    counts: list[tuple[int, ...]] = []
    while True:
        now = await take_census(servers, redis)
        counts.append(tuple(each.file_descriptors for each in now.servers))
        if len(counts) > 5 and len(set(counts[-5:])) == 1:
            return now
        await asyncio.sleep(0.25)


async def come_to_rest(
    before: Census, servers: Sequence[Server], redis: RedisServer | None
) -> Census:
    """Return the first census in which nothing is left over, or else the last one in time."""
    deadline = asyncio.get_running_loop().time() + COMES_TO_REST_WITHIN_S
    now = await take_census(servers, redis)
    while list(left_over(before, now)) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.2)
        now = await take_census(servers, redis)
    return now


def left_over(before: Census, after: Census) -> Iterator[str]:
    """Yield what there is more of than before."""
    # A server that was started again is compared with what they all had at first.
    files = max(each.file_descriptors for each in before.servers) + _MORE_FILES
    threads = max(each.threads for each in before.servers) + _MORE_THREADS
    memory = max(each.resident_mib for each in before.servers) + _MORE_MIB
    for number, each in enumerate(after.servers):
        if each.file_descriptors > files or each.threads > threads or each.resident_mib > memory:
            more = each.files - before.servers[0].files
            yield f"server-{number} has kept {each}, among them {dict(more)}; before: {before}"
    if after.running_runs:
        yield f"{after.running_runs} runs still run"
    if after.redis_connections > before.redis_connections:
        yield (
            f"there are {after.redis_connections} connections to Redis; "
            f"there were {before.redis_connections}"
        )


def kept_for_ever(keys: Counter[str]) -> Iterator[str]:
    """Yield which of these kinds of keys have no lifetime (see `RedisServer.keys`)."""
    for kind, count in keys.items():
        if kind.endswith(" for ever"):
            yield f"{count} keys {kind}"
