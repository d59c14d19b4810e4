"""The fault server: listens, owns every task it starts, and shows what happened."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypedDict, Unpack

from tickertape.core.errors import ConfigurationError
from tickertape.engine.background import BackgroundLoop
from tickertape.testing.fault_server.certificates import Certificate, CertificateKind, issue
from tickertape.testing.fault_server.connection import Connection
from tickertape.testing.fault_server.exchanges import Exchange, ExchangeLog, RecordedRequest
from tickertape.testing.fault_server.milestone import WAIT_TIMEOUT_S, Waiting
from tickertape.testing.fault_server.responder import Responder
from tickertape.testing.fault_server.stored_responses import StoredResponse
from tickertape.testing.faults import Faults
from tickertape.testing.scenarios import Playable, ScenarioCursor, scenario_of

DEFAULT_API_KEY = "fault-server-key"
API_VERSION = "2024-10-21"


class Settings(TypedDict, total=False):
    """What a server can be given beside its scenario; see `FaultServer`."""

    api_key: str | None
    deployments: Collection[str] | None
    certificate: CertificateKind | None
    host: str
    port: int
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], float]


class FaultServer:
    """An HTTP server that speaks Azure OpenAI and OpenAI, and misbehaves on command.

    Give it what the requests get in turn: faults, answers, turns, or one scenario.
    Use it with `async with` in an event loop, or `with FaultServer.in_thread(...)`.

    - `api_key`: what clients must send; None accepts all.
    - `deployments`: which models there are; None accepts every name.
    - `certificate`: speak TLS with such a certificate.
    - `port`: 0 takes a free one.
    - `sleep` and `clock`: the time; every pause goes through `sleep`.
    """

    def __init__(
        self,
        *playables: Playable,
        api_key: str | None = DEFAULT_API_KEY,
        deployments: Collection[str] | None = None,
        certificate: CertificateKind | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api_key = api_key or ""
        self._host = host
        self._port = port
        self._sleep = sleep
        self._certificate: Certificate | None = (
            None if certificate is None else issue(certificate, host=host)
        )
        self._exchanges = ExchangeLog(clock=clock)
        self._responder = Responder(
            scenario_of(*playables),
            api_key=api_key,
            deployments=None if deployments is None else frozenset(deployments),
            clock=clock,
            produce=self._produce,
        )
        self._connection_numbers = itertools.count()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []

    @classmethod
    @contextmanager
    def in_thread(cls, *playables: Playable, **settings: Unpack[Settings]) -> Iterator[Self]:
        """Run a server on an event loop in a thread of its own, for synchronous callers."""
        server = cls(*playables, **settings)
        loop = BackgroundLoop()
        try:
            loop.call(server.start())
            try:
                yield server
            finally:
                loop.call(server.close())
        finally:
            loop.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port is taken.
        """
        context = None if self._certificate is None else self._certificate.context
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connection, self._host, self._port, ssl=context, backlog=1024
            )
        except OSError as error:
            raise ConfigurationError(
                f"the fault server cannot listen on {self._host}:{self._port}: {error}; "
                "port=0 takes a free one"
            ) from error
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close every connection, end every task, and wait for them. Safe to repeat.

        Raises:
            ExceptionGroup: what went wrong in the server itself.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        if self._failures:
            raise BaseExceptionGroup("the fault server itself failed", self._failures)

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Return where it listens, without a path."""
        scheme = "http" if self._certificate is None else "https"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self._port}"

    @property
    def azure_endpoint(self) -> str:
        """Return what Azure's clients want as endpoint."""
        return self.url

    @property
    def azure_v1_base_url(self) -> str:
        """Return the base URL of Azure's v1 API."""
        return f"{self.url}/openai/v1/"

    @property
    def openai_base_url(self) -> str:
        """Return what OpenAI's clients want as base URL."""
        return f"{self.url}/v1"

    @property
    def azure_environment(self) -> dict[str, str]:
        """Return the variables that make Azure's clients come here."""
        return {
            "AZURE_OPENAI_ENDPOINT": self.azure_endpoint,
            "AZURE_OPENAI_API_KEY": self.api_key,
            "OPENAI_API_VERSION": API_VERSION,
        }

    @property
    def openai_environment(self) -> dict[str, str]:
        """Return the variables that make OpenAI's clients come here."""
        return {"OPENAI_BASE_URL": self.openai_base_url, "OPENAI_API_KEY": self.api_key}

    @property
    def authority_pem(self) -> bytes:
        """Return the certificate that clients are meant to trust; only with TLS."""
        if self._certificate is None:
            raise ConfigurationError('this server speaks no TLS; give certificate="trusted"')
        return self._certificate.authority_pem

    @property
    def requests(self) -> list[RecordedRequest]:
        """Return every request so far, oldest first."""
        return [exchange.request for exchange in self._exchanges.all()]

    @property
    def exchanges(self) -> list[Exchange]:
        """Return every exchange so far, oldest first."""
        return self._exchanges.all()

    def next_exchange(self, *, timeout_s: float = WAIT_TIMEOUT_S) -> Waiting[Exchange]:
        """Wait for the next request: `await` it, or call `result()`.

        The first call is for the first request, and so on, whether it came already or not.
        """
        return self._exchanges.take_next(timeout_s=timeout_s)

    def play(self, *playables: Playable) -> None:
        """Replace the scenario: the next request gets its first turn."""
        self._responder.cursor = ScenarioCursor(scenario_of(*playables))

    def _connection(self) -> Connection:
        return Connection(
            next(self._connection_numbers),
            responder=self._responder,
            exchanges=self._exchanges,
            sleep=self._sleep,
            own=self._own,
        )

    def _produce(self, stored: StoredResponse, faults: Faults) -> None:
        producing = stored.produce(
            per_step=faults.chunks_per_write, pace_s=faults.pace_s, sleep=self._sleep
        )
        task = asyncio.get_running_loop().create_task(producing, name=f"producing {stored.id}")
        self._own(task)

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._disown)

    def _disown(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)
