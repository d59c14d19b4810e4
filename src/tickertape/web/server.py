"""Runs the application under uvicorn on a socket that listens, and drains it before it stops.

The only file that imports uvicorn. Knows nothing of other workers on the same socket.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TypeAlias

import uvicorn

from tickertape.engine.engine import Engine
from tickertape.web.asgi import create_app
from tickertape.web.assembly import open_handlers
from tickertape.web.breakage import OpenFaultProvider
from tickertape.web.serve_settings import ServeSettings

Orders: TypeAlias = "Callable[[Server], AbstractContextManager[None]]"
"""Obeys somebody's orders to the server for as long as the context lasts, in its event loop."""


def run_server(
    settings: ServeSettings,
    listener: socket.socket,
    *,
    environment: Mapping[str, str],
    on_ready: Callable[[], None],
    orders: Orders | None = None,
    open_fault_provider: OpenFaultProvider | None = None,
) -> None:
    """Serve on the listener until told to stop: by SIGTERM and SIGINT, unless by `orders`.

    Raises:
        ConfigurationError: the log is in use, or nothing is there to answer with.
    """
    config = uvicorn.Config(
        "",
        access_log=False,
        log_level="warning",
        # The engine has let all readers go by then; what is left are those that don't read.
        timeout_graceful_shutdown=2,
    )
    # A feed that breaks off ends so that its reader resumes; we have said why, once.
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(
            _serve(
                config,
                listener,
                settings,
                environment,
                on_ready,
                orders or _obey_signals,
                open_fault_provider,
            )
        )


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != "ASGI callable returned without completing response."


async def _serve(
    config: uvicorn.Config,
    listener: socket.socket,
    settings: ServeSettings,
    environment: Mapping[str, str],
    on_ready: Callable[[], None],
    orders: Orders,
    open_fault_provider: OpenFaultProvider | None,
) -> None:
    async with open_handlers(
        log=settings.log,
        retention_s=settings.retention_s,
        environment=environment,
        limits=settings.limits,
        deadlines=settings.deadlines,
        retry=settings.retry,
        max_runs=settings.max_runs,
        max_subscribers=settings.max_subscribers,
        lease_term_s=settings.lease_term_s,
        abandon_after_s=settings.abandon_after_s,
        heartbeat_s=settings.heartbeat_s,
        loads_model=True,
        open_fault_provider=open_fault_provider,
    ) as handlers:
        has_faults = open_fault_provider is not None
        config.app = create_app(lambda: nullcontext(handlers), faults=has_faults)
        server = Server(config, handlers.engine, settings.drain_s, on_ready, orders)
        await server.serve(sockets=[listener])


class Server(uvicorn.Server):
    """A server that lets running answers finish before it closes their connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        engine: Engine,
        drain_s: float,
        on_ready: Callable[[], None],
        orders: Orders,
    ) -> None:
        super().__init__(config)
        self._engine = engine
        self._drain_s = drain_s
        self._on_ready = on_ready
        self._orders = orders
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Drain, then stop. Safe to repeat, and to call from a signal's handler."""
        self.should_exit = True

    def stop_now(self) -> None:
        """End all runs, then stop. Safe to call from a signal's handler."""
        self.should_exit = self.force_exit = True
        self._loop.call_soon_threadsafe(self._engine.end_runs)

    def stop_listening(self) -> None:
        """Leave the port to others; connections that are open stay."""
        for server in self.servers:
            server.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections, and say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then close what is open."""
        # Still listening: who comes now is told 503 and when to try again.
        await self._engine.drain(self._drain_s)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Obey orders while the server runs."""
        with self._orders(self):
            yield


@contextmanager
def signals(obey: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have SIGTERM and SIGINT call `obey`.

    Unlike uvicorn's way: a signal that was obeyed is not raised again at the end,
    where it would kill the process before its parts are closed.
    """
    previous = {number: signal.signal(number, obey) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _obey_signals(server: Server) -> Iterator[None]:
    def obey(number: int, frame: FrameType | None) -> None:
        if server.should_exit:
            server.stop_now()
        server.stop()

    with signals(obey):
        yield
