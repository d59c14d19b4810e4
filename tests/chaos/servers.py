"""The servers of a storm: `tickertape serve`, as real processes over one log."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from tests.chaos.process import Process

STARTS_WITHIN_S = 30.0


class Server(Process):
    """One server on a port of its own."""

    def __init__(
        self,
        name: str,
        port: int,
        *,
        options: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        self.name = name
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log_file = folder / f"{name}.txt"
        super().__init__(
            [sys.executable, "-m", "tickertape", "serve", "--port", str(port), *options],
            log_file=self.log_file,
            environment=environment,
        )

    async def ready(self, *, within_s: float = STARTS_WITHIN_S) -> None:
        """Wait until it takes runs; start it again where it ended, as a supervisor would.

        A server that finds no Redis when it starts says so, and ends.

        Raises:
            TimeoutError: it does not; the message ends with what it printed.
        """
        try:
            async with asyncio.timeout(within_s), aiohttp.ClientSession() as session:
                while not await self._is_ready(session):
                    await asyncio.sleep(0.1)
                    if not self.is_running:
                        await self.start()
        except TimeoutError:
            printed = self.log_file.read_text(errors="replace")[-2000:]
            message = f"{self.name} was not ready within {within_s:g} s; it printed: {printed}"
            raise TimeoutError(message) from None

    async def running_runs(self) -> int:
        """Return how many runs it says that it has."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/healthz") as reply,
        ):
            return int((await reply.json())["running_runs"])

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.url}/readyz") as reply:
                return reply.status == 200
        except (aiohttp.ClientError, OSError):
            return False


@asynccontextmanager
async def open_servers(
    count: int, *, options: Sequence[str], environment: Mapping[str, str], folder: Path
) -> AsyncIterator[list[Server]]:
    """Start servers with these options, and wait until they are ready; kill what is left after."""
    everything = {**os.environ, **environment}
    servers = [
        Server(f"server-{number}", port, options=options, environment=everything, folder=folder)
        for number, port in enumerate(free_ports(count))
    ]
    async with AsyncExitStack() as stack:
        for server in servers:
            stack.push_async_callback(server.kill)
            await server.start()
        for server in servers:
            await server.ready()
        yield servers


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, no two of them alike."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
