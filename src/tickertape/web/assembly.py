"""Puts a server's parts together: log, providers, engine, handlers.

What the parts do is their own business; this knows only the order in which
they open and close.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.engine.engine import Engine
from tickertape.logs.base import EventLog
from tickertape.providers.catalog import Catalog
from tickertape.providers.http import HttpTransport
from tickertape.web.breakable import BreakableModels
from tickertape.web.breakage import BreakableHandlers, OpenFaultProvider
from tickertape.web.handlers import Handlers
from tickertape.web.limits import Limits
from tickertape.web.log_setting import MEMORY, VARIABLE, open_log


@asynccontextmanager
async def open_handlers(
    *,
    log: EventLog | str | None = None,
    retention_s: float | None = None,
    environment: Mapping[str, str] = os.environ,
    limits: Limits | None = None,
    deadlines: Deadlines | None = None,
    retry: RetryPolicy | None = None,
    max_runs: int = 1000,
    max_subscribers: int = 10_000,
    heartbeat_s: float = 15.0,
    lease_term_s: float = 5.0,
    abandon_after_s: float | None = None,
    loads_model: bool = False,
    open_fault_provider: OpenFaultProvider | None = None,
) -> AsyncIterator[Handlers]:
    """Open everything that a server needs, as the environment configures it; close it after.

    The log is `memory`, `sqlite`, `sqlite:PATH` or `redis://…`; one that is passed in stays
    open. None is what the environment's `TICKERTAPE_LOG` says, and else `memory`. It keeps
    runs for `retention_s` after their end; None is the log's own default.
    `loads_model` loads an embedded default model before anyone asks: loading stops
    the event loop, for a second or, with a large file, for many.
    With `open_fault_provider`, which is for development, the handlers are
    `BreakableHandlers`, and its models are there, too.

    Raises:
        ConfigurationError: nothing to answer with, or the log can't be opened; the
            message says the ways out. LogUnavailable: it can't be reached now.
    """
    async with AsyncExitStack() as stack:
        if log is None:
            log = environment.get(VARIABLE) or MEMORY
        if isinstance(log, str):
            log = await stack.enter_async_context(open_log(log, retention_s=retention_s))
        transport = await stack.enter_async_context(HttpTransport())
        catalog = Catalog.from_environment(environment, transport=transport)
        try:
            if loads_model:
                await catalog.load()
            faults: BreakableModels | None = None
            if open_fault_provider is not None:
                opening = open_fault_provider()
                faults = BreakableModels(catalog, *await stack.enter_async_context(opening))
            async with Engine(
                log,
                deadlines=deadlines,
                retry=retry,
                max_runs=max_runs,
                max_subscribers=max_subscribers,
                heartbeat_s=heartbeat_s,
                lease_term_s=lease_term_s,
                abandon_after_s=abandon_after_s,
                route_for=catalog.route_for,
            ) as engine:
                if faults is None:
                    yield Handlers(engine, catalog, limits=limits)
                else:
                    yield BreakableHandlers(engine, faults, limits=limits)
        finally:
            await catalog.close()
