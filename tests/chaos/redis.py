"""The Redis of a storm: a server of its own with an append-only file, in a folder of its own."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.chaos.process import Process
from tests.chaos.servers import free_ports

STARTS_WITHIN_S = 20.0
_CALL_WITHIN_S = 5.0


class RedisServer(Process):
    """One Redis server, and the calls to it that are no faults."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_ports(1)[0]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        program = shutil.which("redis-server")
        assert program is not None
        super().__init__(
            [
                program,
                *("--bind", "127.0.0.1", "--port", str(self.port)),
                *("--dir", str(folder), "--save", ""),
                # What it acknowledged it keeps, so that nothing may be missing afterwards.
                *("--appendonly", "yes", "--appendfsync", "always"),
            ],
            log_file=folder / "redis.txt",
        )

    async def ready(self, *, within_s: float = STARTS_WITHIN_S) -> None:
        """Wait until it answers, its file read.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(within_s):
            while not await self._answers():
                await asyncio.sleep(0.02)

    async def pause(self, *, for_s: float) -> None:
        """Let it take every command and answer none, for a while."""
        async with self._client() as client:
            await client.execute_command("CLIENT", "PAUSE", int(for_s * 1000), "ALL")

    async def cut_power(self, *, lost_bytes: int) -> None:
        """Kill it, and lose the end of its file, as a disk does that was not told to sync."""
        await self.kill()
        [file] = (self._folder / "appendonlydir").glob("*.incr.aof")
        with file.open("rb+") as appended:
            appended.truncate(max(0, file.stat().st_size - lost_bytes))

    async def connections(self) -> int:
        """Return how many connections it has, without the one that asks."""
        async with self._client() as client:
            return len(await client.client_list()) - 1

    async def keys(self) -> Counter[str]:
        """Return how many keys there are of each kind, and of each kind without a lifetime.

        A kind is the key with what comes after its second colon left out.
        """
        kinds: Counter[str] = Counter()
        async with self._client() as client:
            async for key in client.scan_iter(count=500):
                kind = ":".join(key.decode().split(":")[:2])
                kinds[kind] += 1
                if await client.ttl(key) == -1:
                    kinds[f"{kind} for ever"] += 1
        return kinds

    async def _answers(self) -> bool:
        try:
            async with self._client() as client:
                return bool(await client.ping())
        except (RedisError, OSError):
            return False

    def _client(self) -> Redis:
        return Redis(port=self.port, socket_timeout=_CALL_WITHIN_S)


@asynccontextmanager
async def open_redis(folder: Path) -> AsyncIterator[RedisServer]:
    """Start a Redis server and wait until it answers; kill it after."""
    server = RedisServer(folder)
    await server.start()
    try:
        await server.ready()
        yield server
    finally:
        await server.kill()
