"""The weather of a storm: which process is killed, stopped or paused, and when.

`forecast` is pure; `Havoc` does what it says, and leaves everything running.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final, Literal, TypeAlias, assert_never

from msgspec import Struct

from tests.chaos.redis import RedisServer
from tests.chaos.servers import Server

BlowKind: TypeAlias = Literal[
    "kill server",
    "drain server",
    "stop server",
    "kill redis",
    "stop redis",
    "pause redis",
    "cut power",
]

# How long each lasts, in seconds: until it is started again, or goes on.
_LASTS: Final[dict[BlowKind, tuple[float, float]]] = {
    "kill server": (0.0, 1.0),
    "drain server": (0.0, 0.5),
    "stop server": (0.3, 2.5),  # times the lease's term: some runs are taken over, some are not
    "kill redis": (0.0, 1.0),
    "stop redis": (0.2, 2.0),
    "pause redis": (0.1, 1.5),
    "cut power": (0.0, 1.0),
}

DRAINS_WITHIN_S: Final = 30.0

_WITHOUT_REDIS: Final[tuple[BlowKind, ...]] = ("kill server", "kill server", "drain server")
_WITH_REDIS: Final[tuple[BlowKind, ...]] = (
    *("kill server", "kill server", "drain server", "stop server", "stop server"),
    *("kill redis", "kill redis", "stop redis", "pause redis"),
)


class Blow(Struct, frozen=True):
    """One thing that goes wrong."""

    kind: BlowKind
    at_s: float
    lasts_s: float
    server: int = 0
    lost_bytes: int = 0
    """Of Redis's file, when its power is cut: what it acknowledged is lost."""


def forecast(
    chance: Random,
    *,
    lasts_s: float,
    every_s: float,
    servers: int,
    has_redis: bool,
    lease_s: float,
    cuts_power: bool = False,
) -> list[Blow]:
    """Return what will go wrong within `lasts_s`, one thing every `every_s` or so, in order."""
    deck: list[BlowKind] = []
    blows = []
    at_s = every_s * chance.random()
    while at_s < lasts_s:
        if not deck:  # dealt as cards are, so that a short storm has some of each
            deck = list(_WITH_REDIS if has_redis else _WITHOUT_REDIS)
            deck += ["cut power"] * 3 if cuts_power else []
            chance.shuffle(deck)
        kind = deck.pop()
        blow_s = chance.uniform(*_LASTS[kind]) * (lease_s if kind == "stop server" else 1.0)
        blows.append(
            Blow(kind, at_s, blow_s, chance.randrange(servers), int(10 ** chance.uniform(1, 5)))
        )
        at_s += every_s * chance.uniform(0.5, 1.5)
    return blows


class Havoc:
    """Wreaks what was forecast. Blows at one process wait for one another."""

    def __init__(self, servers: Sequence[Server], redis: RedisServer | None) -> None:
        self.counts: Counter[str] = Counter()
        self._servers = servers
        self._redis = redis
        self._busy = {id(each): asyncio.Lock() for each in (*servers, redis)}

    async def wreak(self, blows: Sequence[Blow]) -> None:
        """Do all of it; return when everything runs again."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with asyncio.TaskGroup() as group:
            for blow in blows:
                await asyncio.sleep(max(0.0, begin + blow.at_s - loop.time()))
                group.create_task(self._strike(blow), name=str(blow))

    async def _strike(self, blow: Blow) -> None:
        server = self._servers[blow.server]
        hit = self._redis if blow.kind.endswith(("redis", "power")) else server
        async with self._busy[id(hit)]:
            match blow.kind:
                case "kill server":
                    await server.kill()
                    await asyncio.sleep(blow.lasts_s)
                    await server.start()
                    await server.ready()
                case "drain server":
                    await server.terminate(within_s=DRAINS_WITHIN_S)
                    await asyncio.sleep(blow.lasts_s)
                    await server.start()
                    await server.ready()
                case "stop server":
                    await self._stop(server, blow.lasts_s)
                case "kill redis":
                    assert self._redis is not None
                    await self._redis.kill()
                    await asyncio.sleep(blow.lasts_s)
                    await self._redis.start()
                    await self._redis.ready()
                case "cut power":
                    assert self._redis is not None
                    await self._redis.cut_power(lost_bytes=blow.lost_bytes)
                    await asyncio.sleep(blow.lasts_s)
                    await self._redis.start()
                    await self._redis.ready()
                case "stop redis":
                    assert self._redis is not None
                    await self._stop(self._redis, blow.lasts_s)
                case "pause redis":
                    assert self._redis is not None
                    await self._redis.pause(for_s=blow.lasts_s)
                    await asyncio.sleep(blow.lasts_s)
                case _:
                    assert_never(blow.kind)
        self.counts[blow.kind] += 1

    async def _stop(self, process: Server | RedisServer, lasts_s: float) -> None:
        process.stop()
        try:
            await asyncio.sleep(lasts_s)
        finally:
            process.go_on()
