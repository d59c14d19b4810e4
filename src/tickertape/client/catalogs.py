"""Whose catalog of providers a script's call uses, and who closes it.

Streams on the background loop share one, so that connections and the embedded
model are kept from call to call; it closes with the loop. A stream on a user's own
loop has one of its own: such a loop tells nobody when it ends, so there is no
right moment to close what is shared there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeAlias

from tickertape.providers.catalog import Catalog
from tickertape.providers.http import HttpTransport

LendCatalog: TypeAlias = Callable[[], AbstractAsyncContextManager[Catalog]]


def lend_own() -> AbstractAsyncContextManager[Catalog]:
    """Lend a catalog made for this use, as the environment configures it now."""

    async def take() -> _Lent:
        catalog = Catalog.from_environment(os.environ, allow_local_paths=True)
        return _Lent(catalog, users=1, is_replaced=True)

    return _Loan(take)


def lend(catalog: Catalog) -> LendCatalog:
    """Return what lends the caller's catalog, which stays open."""
    return lambda: nullcontext(catalog)


class _Lent:
    """A catalog, how many use it, and whether nobody else will."""

    __slots__ = ("catalog", "environment", "is_replaced", "users")

    def __init__(
        self,
        catalog: Catalog,
        *,
        environment: dict[str, str] | None = None,
        users: int = 0,
        is_replaced: bool = False,
    ) -> None:
        self.catalog = catalog
        self.environment = environment
        self.users = users
        self.is_replaced = is_replaced

    async def give_back(self) -> None:
        self.users -= 1
        await self.close_if_over()

    async def close_if_over(self) -> None:
        if self.is_replaced and not self.users:
            await self.catalog.close()


class _Loan(AbstractAsyncContextManager[Catalog]):
    """What is taken when it is entered, and given back when it is left.

    Not a generator: an event loop that ends closes all generators side by side, and
    this one would be closed under the stream that still holds it.
    """

    def __init__(self, take: Callable[[], Awaitable[_Lent]]) -> None:
        self._take = take
        self._lent: _Lent | None = None

    async def __aenter__(self) -> Catalog:
        self._lent = await self._take()
        return self._lent.catalog

    async def __aexit__(self, *_: object) -> None:
        assert self._lent is not None
        await self._lent.give_back()


class SharedCatalog:
    """One catalog for all streams of the running loop, and the connections under it."""

    def __init__(self) -> None:
        self._transport = HttpTransport()
        self._current: _Lent | None = None

    def lend(self) -> AbstractAsyncContextManager[Catalog]:
        """Lend the catalog that the environment configures now.

        When the environment has changed (somebody set the key that was missing),
        the one before it closes as soon as nobody uses it.
        """
        return _Loan(self.take)

    async def take(self) -> _Lent:
        """Take what `lend` lends. To be given back."""
        environment = dict(os.environ)
        replaced = self._current
        if replaced is None or replaced.environment != environment:
            catalog = Catalog.from_environment(
                environment, transport=self._transport, allow_local_paths=True
            )
            self._current = _Lent(catalog, environment=environment)
            if replaced is not None:
                replaced.is_replaced = True
                await replaced.close_if_over()
        assert self._current is not None
        self._current.users += 1
        return self._current

    async def close(self) -> None:
        """Close the catalog and its connections, those in use too."""
        if self._current is not None:
            await self._current.catalog.close()
        await self._transport.close()


class BackgroundCatalog:
    """The shared catalog of the background loop, whichever loop that is by now."""

    def __init__(self) -> None:
        # One for each loop there was: after a fork, or a stop, there is another. The
        # generators of old ones are kept, since they must not be closed from here.
        self._of_loop: dict[
            asyncio.AbstractEventLoop, tuple[SharedCatalog, AsyncGenerator[SharedCatalog, None]]
        ] = {}

    def lend(self) -> AbstractAsyncContextManager[Catalog]:
        """Lend the shared catalog. To be entered on the background loop."""
        return _Loan(self._take)

    async def _take(self) -> _Lent:
        loop = asyncio.get_running_loop()
        if loop not in self._of_loop:
            holder = _hold_shared()
            self._of_loop[loop] = (await anext(holder), holder)
        shared, _ = self._of_loop[loop]
        return await shared.take()


async def _hold_shared() -> AsyncGenerator[SharedCatalog, None]:
    """Keep a shared catalog until the loop ends, which closes its async generators."""
    shared = SharedCatalog()
    try:
        yield shared
    finally:
        await shared.close()


background_catalog = BackgroundCatalog()
"""The process's own."""
