"""Whose catalog of providers a script's call uses, and who closes it.

Streams on the background loop share one, so that connections and the embedded
model are kept from call to call; it closes with the loop. A stream on a user's own
loop has one of its own: such a loop tells nobody when it ends, so there is no
right moment to close what is shared there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from tickertape.providers.catalog import Catalog
from tickertape.providers.http import HttpTransport

LendCatalog: TypeAlias = Callable[[], AbstractAsyncContextManager[Catalog]]


@asynccontextmanager
async def lend_own() -> AsyncIterator[Catalog]:
    """Lend a catalog made for this use, as the environment configures it now."""
    catalog = Catalog.from_environment(os.environ, allow_local_paths=True)
    try:
        yield catalog
    finally:
        await catalog.close()


def lend(catalog: Catalog) -> LendCatalog:
    """Return what lends the caller's catalog, which stays open."""

    @asynccontextmanager
    async def lent() -> AsyncIterator[Catalog]:
        yield catalog

    return lent


class SharedCatalog:
    """One catalog for all streams of the running loop, and the connections under it."""

    def __init__(self) -> None:
        self._transport = HttpTransport()
        self._current: _Lent | None = None

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Catalog]:
        """Lend the catalog that the environment configures now.

        When the environment has changed (somebody set the key that was missing),
        the one before it closes as soon as nobody uses it.
        """
        environment = dict(os.environ)
        replaced = None
        if self._current is None or self._current.environment != environment:
            replaced = self._current
            catalog = Catalog.from_environment(
                environment, transport=self._transport, allow_local_paths=True
            )
            self._current = _Lent(catalog, environment)
        lent = self._current
        lent.users += 1
        try:
            if replaced is not None and not replaced.users:
                await replaced.catalog.close()
            yield lent.catalog
        finally:
            lent.users -= 1
            if lent is not self._current and not lent.users:
                await lent.catalog.close()

    async def close(self) -> None:
        """Close the catalog and its connections, those in use too."""
        if self._current is not None:
            await self._current.catalog.close()
        await self._transport.close()


class _Lent:
    """A catalog, the environment it was made from, and how many use it."""

    __slots__ = ("catalog", "environment", "users")

    def __init__(self, catalog: Catalog, environment: dict[str, str]) -> None:
        self.catalog = catalog
        self.environment = environment
        self.users = 0


class BackgroundCatalog:
    """The shared catalog of the background loop, whichever loop that is by now."""

    def __init__(self) -> None:
        # One for each loop there was: after a fork, or a stop, there is another. The
        # generators of old ones are kept, since they must not be closed from here.
        self._of_loop: dict[
            asyncio.AbstractEventLoop, tuple[SharedCatalog, AsyncGenerator[SharedCatalog, None]]
        ] = {}

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Catalog]:
        """Lend the shared catalog. To be entered on the background loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._of_loop:
            holder = _hold_shared()
            self._of_loop[loop] = (await anext(holder), holder)
        shared, _ = self._of_loop[loop]
        async with shared.lend() as catalog:
            yield catalog


async def _hold_shared() -> AsyncGenerator[SharedCatalog, None]:
    """Keep a shared catalog until the loop ends, which closes its async generators."""
    shared = SharedCatalog()
    try:
        yield shared
    finally:
        await shared.close()


background_catalog = BackgroundCatalog()
"""The process's own."""
