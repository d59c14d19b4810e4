"""A server: a place with an address, and the processes that live there one after another.

A process is the real engine and the real routes over its own link to the log. It can
die without a word, hang, have its clock set, or be told to drain as SIGTERM does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from tests.simulation.loop import Owner, SimulationLoop
from tests.simulation.network import Connection, Network
from tests.simulation.provider import SimulatedProvider
from tests.simulation.stores import LogConnection
from tests.simulation.trace import Trace
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ConfigurationError, TickertapeError
from tickertape.engine.engine import Engine
from tickertape.logs.base import EventLog
from tickertape.logs.redis import RedisLog
from tickertape.providers.base import Route
from tickertape.web.handlers import AnyReply, Call, Handlers
from tickertape.web.replies import StreamReply

EPOCH_S: Final = 1_800_000_000.0
"""What the wall clock says at virtual time 0."""

DEADLINES: Final = Deadlines(
    first_progress_timeout_s=20, stall_timeout_s=10, finish_timeout_s=3, run_timeout_s=60
)

LEASE_TERM_S: Final = 3.0
RESTART_S: Final = 1.0


@dataclass(slots=True)
class Clock:
    """A machine's wall clock, which may be wrong."""

    loop: SimulationLoop
    offset_s: float = 0.0

    def __call__(self) -> float:
        """Return UTC seconds, as this machine believes."""
        return EPOCH_S + self.loop.time() + self.offset_s


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request on its way."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Models:
    """A catalog in which every name is answered by the one provider."""

    def __init__(self, provider: SimulatedProvider) -> None:
        self._provider = provider

    def routes(self, model: str) -> list[Route]:
        """See `handlers.Models`."""
        return [Route(self._provider, model)]

    def names(self) -> list[str]:
        """See `handlers.Models`."""
        return ["any"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What every process is made from."""

    network: Network
    trace: Trace
    provider: SimulatedProvider
    open_log: Callable[[Owner, Callable[[], float]], tuple[EventLog, LogConnection]]
    """A client of the log for one process."""
    abandon_after_s: float | None
    make_run_id: Callable[[], str]


class Process(Owner):
    """One life of a server."""

    def __init__(self, name: str, parts: Parts, clock: Clock) -> None:
        super().__init__(name)
        self.network = parts.network
        self.trace = parts.trace
        self.provider = parts.provider
        self.connections: dict[Connection, None] = {}
        self.is_ready = False
        self._log, self.log_connection = parts.open_log(self, clock)
        self._parts = parts
        self._clock = clock
        self._told_to_stop: asyncio.Event | None = None
        self._drain_s = 0.0
        self._task = parts.network.loop.create_task(
            self._live(), name=f"life of {name}", context=self.context
        )

    def call(self, connection: Connection, request: Request) -> None:
        """Take a request that has arrived."""
        if not self.is_ready:
            connection.reset("connection refused")
            return
        self.connections[connection] = None
        self.network.loop.create_task(
            self._serve(connection, request), name=f"{request.method} {request.path}"
        )

    def stop(self, drain_s: float) -> None:
        """Stop as after SIGTERM."""
        self._drain_s = drain_s
        if self._told_to_stop is not None:
            self._told_to_stop.set()
        else:
            self.kill(silently=False)

    def kill(self, *, silently: bool) -> None:
        """Die at once: `silently` as when the machine loses its power."""
        if self.is_dead:
            return
        self.is_dead = True
        self.is_ready = False
        self.trace.note(self.name, "dies silently" if silently else "dies")
        self.provider.hang_up(self)
        for connection in self.connections:
            if silently:
                connection.lose()
            else:
                connection.reset()

    def error(self) -> BaseException | None:
        """Return what ended its life badly."""
        is_known = self._task.done() and not self._task.cancelled()
        return self._task.exception() if is_known else None

    @property
    def is_gone(self) -> bool:
        """Tell whether its life is over, one way or the other."""
        return self.is_dead or self._task.done()

    async def _live(self) -> None:
        self._told_to_stop = asyncio.Event()
        await self._open_log()
        async with Engine(
            self._log,
            deadlines=DEADLINES,
            lease_term_s=LEASE_TERM_S,
            abandon_after_s=self._parts.abandon_after_s,
            now=self._clock,
            make_run_id=self._parts.make_run_id,
            make_holder=lambda: self.name,
            fraction=self.network.random.random,
        ) as engine:
            self._handlers = Handlers(engine, Models(self.provider))
            self.is_ready = True
            self.trace.note(self.name, "is ready")
            await self._told_to_stop.wait()
            self.trace.note(self.name, f"drains for {self._drain_s:g} s")
            await engine.drain(self._drain_s)
            # As a server does: what is being written may be finished, but not for ever.
            for _ in range(20):
                if not self.connections:
                    break
                await asyncio.sleep(0.1)
            self.is_ready = False
            for connection in self.connections:
                connection.reset()
        await self._log.close()
        self.trace.note(self.name, "has stopped")
        self.is_dead = True
        self.provider.hang_up(self)

    async def _open_log(self) -> None:
        """Open it, however often: whoever looks after a server starts it again and again."""
        while isinstance(self._log, RedisLog):
            try:
                await self._log.open()
            except ConfigurationError as error:
                self.trace.note(self.name, str(error))
                await asyncio.sleep(RESTART_S)
                self._log, self.log_connection = self._parts.open_log(self, self._clock)
            else:
                return

    async def _serve(self, connection: Connection, request: Request) -> None:
        try:
            await self._reply(connection, await self._answer(request))
        except TickertapeError as error:
            self.trace.note(self.name, f"breaks off {request.method}: {error}")
            connection.reset()
        finally:
            self.connections.pop(connection, None)

    async def _answer(self, request: Request) -> AnyReply:
        handlers = self._handlers
        call = Call(
            request.path,
            {name.lower(): value for name, value in request.headers.items()},
            body=request.body,
        )
        run_id = unquote(request.path.removeprefix("/chat/stream").removeprefix("/"))
        match request.method:
            case "POST":
                return await handlers.start_run(call)
            case "GET":
                return await handlers.tail_run(call, run_id)
            case _:
                return await handlers.cancel_run(call, run_id)

    async def _reply(self, connection: Connection, reply: AnyReply) -> None:
        self.trace.note(self.name, f"answers {reply.status}")
        headers = {name.title(): value for name, value in reply.headers.items()}
        connection.send_head(reply.status, headers)
        if not isinstance(reply, StreamReply):
            await connection.write(reply.body)
            connection.end()
            return
        feed = reply.feed
        try:
            connection.on_left = feed.close
            if connection.has_left:
                feed.close()
            while block := await feed.next():
                await connection.write(block)
            connection.end()
        finally:
            feed.close()


class Server:
    """An address, at which one process lives at a time."""

    def __init__(self, name: str, parts: Parts) -> None:
        self.name = name
        self.clock = Clock(parts.network.loop)
        self._parts = parts
        self._lives = 0
        self.process = self._start()
        self.lives: list[Process] = [self.process]

    def start(self) -> None:
        """Start the next process, if the last one is gone."""
        if self.process.is_gone:
            self.process = self._start()
            self.lives.append(self.process)

    def call(self, request: Request) -> Connection:
        """Send a request here; where no process lives, it is refused."""
        network = self._parts.network
        connection = Connection(network, self.process)
        network.later(network.world, self._arrive, connection, request)
        return connection

    def _arrive(self, connection: Connection, request: Request) -> None:
        process = connection.process
        if isinstance(process, Process) and not process.is_gone:
            loop = self._parts.network.loop
            loop.call_soon(process.call, connection, request, context=process.context)
        else:
            connection.reset("connection refused")

    def _start(self) -> Process:
        self._lives += 1
        return Process(f"{self.name}.{self._lives}", self._parts, self.clock)
