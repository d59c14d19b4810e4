"""Providers whose answers can be broken on command, for a server in development.

Every route of a start leads to a provider of its own, which shares one `Breakage`
with the others: so a run's answer can be found by its run. Knows no HTTP; how it
looks to readers is the engine's business, as with any other provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal, TypeAlias

from tickertape.core.errors import LogError, ProviderError
from tickertape.core.request import Request
from tickertape.providers.base import (
    Provider,
    ProviderStream,
    Route,
    StoredStream,
    Translator,
)
from tickertape.web.handlers import Models

Pace: TypeAlias = Literal["normal", "slow", "bursts", "stalled"]

SLOW_BYTES: Final = 256
"""About one event of a provider's stream."""
SLOW_PAUSE_S: Final = 0.15
BURST_PAUSE_S: Final = 1.5


class WriterLost(LogError):
    """Somebody wanted this run to lose its writer, as when a process dies."""


class Breakage:
    """What is to be done to one run's answer, and the streams that it is done to."""

    def __init__(self) -> None:
        self.pace: Pace = "normal"
        self.streams: set[BreakableStream] = set()
        """Those that are open: more than one while a hedged start is not decided."""

    def set_pace(self, pace: Pace) -> bool:
        """Let what comes from now on come like that; return whether there is any stream."""
        if self.streams:
            self.pace = pace
        for stream in self.streams:
            stream.wake()
        return bool(self.streams)

    def break_off(self, error: ProviderError | LogError) -> bool:
        """Let every read fail; return whether there was any stream."""
        streams = list(self.streams)
        for stream in streams:
            stream.break_off(error)
        return bool(streams)


class BreakableStream:
    """Another provider's stream, which may be slowed, stalled and broken off."""

    def __init__(self, stream: ProviderStream, breakage: Breakage) -> None:
        self._stream = stream
        self._breakage = breakage
        self._rest = b""
        """What was read and not handed out; at most one read."""
        self._error: ProviderError | LogError | None = None
        self._is_closed = False
        self._news = asyncio.Event()
        breakage.streams.add(self)

    @property
    def translator(self) -> Translator:
        """See `ProviderStream.translator`."""
        return self._stream.translator

    async def read(self) -> bytes:
        """See `ProviderStream.read`.

        Raises:
            ProviderError: as the other stream does, or because it was broken off.
            WriterLost: because its run is to lose its writer.
        """
        if self._breakage.pace == "bursts":
            await self._pause(BURST_PAUSE_S)  # what comes meanwhile comes in one read
        chunk = self._rest
        try:
            chunk = chunk or await self._stream.read()
        except ProviderError:
            self._raise_if_broken()  # which is why it failed
            raise
        if self._breakage.pace == "slow":
            await self._pause(SLOW_PAUSE_S)
            self._rest, chunk = chunk[SLOW_BYTES:], chunk[:SLOW_BYTES]
        else:
            self._rest = b""
        while self._breakage.pace == "stalled" and not (self._is_closed or self._error):
            await self._pause(None)
        self._raise_if_broken()
        return b"" if self._is_closed else chunk

    def close(self) -> None:
        """See `ProviderStream.close`."""
        self._is_closed = True
        self._breakage.streams.discard(self)
        self._stream.close()
        self.wake()

    def break_off(self, error: ProviderError | LogError) -> None:
        """Let the read that waits, or the next one, raise the error."""
        self._error = error
        self._stream.close()
        self.wake()

    def wake(self) -> None:
        """End the pause that a read may be in."""
        self._news.set()

    def _raise_if_broken(self) -> None:
        if self._error is not None:
            raise self._error

    async def _pause(self, seconds: float | None) -> None:
        self._news.clear()
        if self._is_closed or self._error is not None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()


class BreakableProvider:
    """Answers as another provider does, for one start, in streams that can be broken."""

    def __init__(self, provider: Provider, breakage: Breakage) -> None:
        self.name = provider.name
        self.breakage = breakage
        self._provider = provider

    async def open(self, request: Request) -> ProviderStream:
        """See `Provider.open`. A stored answer's stream stays as it is: it would mend itself."""
        stream = await self._provider.open(request)
        if isinstance(stream, StoredStream):
            return stream
        return BreakableStream(stream, self.breakage)


class BreakableModels:
    """Other models, and one more provider's, whose answers can all be broken."""

    def __init__(self, models: Models, provider: Provider, names: Sequence[str]) -> None:
        """`names` are the provider's models that are shown; it may know more."""
        self._models = models
        self._provider = provider
        self._names = [f"{provider.name}/{name}" for name in names]

    def routes(self, model: str) -> list[Route]:
        """See `handlers.Models`. All routes of one start share their breakage."""
        breakage = Breakage()
        prefix = f"{self._provider.name}/"
        names = [name.strip() for name in model.split(",")]
        if not any(name.startswith(prefix) for name in names):
            found = self._models.routes(model)
        else:
            found = []
            for name in names:
                if name.startswith(prefix):
                    found.append(Route(self._provider, name.removeprefix(prefix)))
                else:
                    found += self._models.routes(name)
        return [Route(BreakableProvider(each.provider, breakage), each.model) for each in found]

    def names(self) -> list[str]:
        """See `handlers.Models`. The default stays the first."""
        return [*self._models.names(), *self._names]
