"""Runs the application under uvicorn, and drains it before it stops.

The only file that imports uvicorn.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Final

import uvicorn
from msgspec import Struct

from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ConfigurationError
from tickertape.engine.engine import Engine
from tickertape.web.asgi import create_app
from tickertape.web.assembly import open_handlers
from tickertape.web.limits import Limits
from tickertape.web.log_setting import SQLITE, check_log_setting

MAX_HEARTBEAT_S: Final = 30.0


class ServeSettings(Struct, frozen=True, kw_only=True):
    """What `tickertape serve` can be told."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port."""
    drain_s: float = 20.0
    """How long running answers may go on after SIGTERM or Ctrl-C; a second one ends them."""
    heartbeat_s: float = 15.0
    """At most 30: readers take a longer silence for a broken connection."""
    max_runs: int = 1000
    log: str = SQLITE
    """`memory`, `sqlite` (a file in the platform's state directory) or `sqlite:PATH`."""
    limits: Limits = Limits()
    deadlines: Deadlines = Deadlines()
    retry: RetryPolicy = RetryPolicy()

    def __post_init__(self) -> None:
        if not 0 < self.heartbeat_s <= MAX_HEARTBEAT_S:
            raise ConfigurationError(
                f"heartbeat_s must be more than 0 and at most {MAX_HEARTBEAT_S:g}, "
                f"not {self.heartbeat_s!r}"
            )
        check_log_setting(self.log)


def serve(
    settings: ServeSettings,
    *,
    environment: Mapping[str, str],
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until SIGTERM or SIGINT. `on_ready` gets the URL once connections are taken.

    Raises:
        ConfigurationError: the port or the log is in use, or nothing is there to
            answer with.
    """
    config = uvicorn.Config(
        "",
        access_log=False,
        log_level="warning",
        # All runs have ended by then; what is left are readers that don't read.
        timeout_graceful_shutdown=2,
    )
    listener = _listen(settings.host, settings.port)
    with listener, asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(config, listener, settings, environment, on_ready))


async def _serve(
    config: uvicorn.Config,
    listener: socket.socket,
    settings: ServeSettings,
    environment: Mapping[str, str],
    on_ready: Callable[[str], None],
) -> None:
    url = _url(listener)
    async with open_handlers(
        log=settings.log,
        environment=environment,
        limits=settings.limits,
        deadlines=settings.deadlines,
        retry=settings.retry,
        max_runs=settings.max_runs,
        heartbeat_s=settings.heartbeat_s,
        loads_model=True,
    ) as handlers:
        config.app = create_app(lambda: nullcontext(handlers))
        server = _Server(config, handlers.engine, settings.drain_s, lambda: on_ready(url))
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that lets running answers finish before it closes their connections."""

    def __init__(
        self, config: uvicorn.Config, engine: Engine, drain_s: float, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._engine = engine
        self._drain_s = drain_s
        self._on_ready = on_ready
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Still listening: who comes now is told 503 and when to try again.
        await self._engine.drain(self._drain_s)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Unlike uvicorn's: a signal that was obeyed is not raised again at the end,
        # where it would kill the process before its parts are closed.
        previous = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
            self._loop.call_soon_threadsafe(self._engine.end_runs)
        self.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigurationError(
            f"can't listen on {host} port {port}: {error}. "
            "Choose another with --port, or --port 0 for any free one"
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
