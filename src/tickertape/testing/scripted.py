"""A provider that says what a test tells it, without a socket or a clock."""

from __future__ import annotations

import asyncio
from collections import deque

from tickertape.core.errors import ProviderError
from tickertape.core.events import ChoiceFinished, Event, RunError, TextDelta
from tickertape.core.request import Request
from tickertape.providers.base import StreamEnd

TRUNCATED = StreamEnd(
    RunError(code="truncated", message="The answer broke off.", is_retryable=True)
)


class ScriptedTranslator:
    """Hands out the events that its stream was given, one batch for each read."""

    def __init__(self) -> None:
        self.end: StreamEnd | None = None
        self.batches: deque[tuple[list[Event], StreamEnd | None]] = deque()
        self._has_finished = False

    def feed(self, _chunk: bytes) -> list[Event]:
        """Return the next batch; the chunk only says that there is one."""
        events, self.end = self.batches.popleft()
        self._has_finished = self._has_finished or any(
            isinstance(event, ChoiceFinished) for event in events
        )
        return events

    def close(self) -> list[Event]:
        """End as a real stream would: well only if the model had finished."""
        if self.end is None:
            self.end = StreamEnd() if self._has_finished else TRUNCATED
        return []


class ScriptedStream:
    """One answer in progress. A test calls `send`, `finish`, `break_off`."""

    def __init__(self) -> None:
        self.translator = ScriptedTranslator()
        self.is_closed = False
        self._ready: asyncio.Queue[bytes | ProviderError] = asyncio.Queue()

    def send(self, *events: Event | str, end: StreamEnd | None = None) -> None:
        """Let one read bring these events (a string is a text delta), and the end if given."""
        batch = [TextDelta(event) if isinstance(event, str) else event for event in events]
        self.translator.batches.append((batch, end))
        self._ready.put_nowait(b".")

    def finish(self, *events: Event | str) -> None:
        """Let the model stop, and its stream end, as they should."""
        self.send(
            *events,
            ChoiceFinished(finish_reason="stop", raw_finish_reason="stop"),
            end=StreamEnd(),
        )

    def end_of_file(self) -> None:
        """Let the connection end without another word."""
        self._ready.put_nowait(b"")

    def break_off(self, error: ProviderError) -> None:
        """Let the connection break."""
        self._ready.put_nowait(error)

    async def read(self) -> bytes:
        """See `ProviderStream.read`."""
        item = b"" if self.is_closed else await self._ready.get()
        if isinstance(item, ProviderError):
            raise item
        return item

    def close(self) -> None:
        """See `ProviderStream.close`."""
        if not self.is_closed:
            self.is_closed = True
            self._ready.put_nowait(b"")


class ScriptedProvider:
    """A provider whose answers are `ScriptedStream`s. The first is ready from the start."""

    def __init__(self, *, name: str = "scripted", refusal: ProviderError | None = None) -> None:
        self.name = name
        self.refusal = refusal
        self.requests: list[Request] = []
        self.stream = ScriptedStream()
        self.may_open = asyncio.Event()
        """Cleared, `open` waits: a provider that has not answered yet."""
        self.may_open.set()

    async def open(self, request: Request) -> ScriptedStream:
        """See `Provider.open`. Each opening after the first gets a new stream."""
        if self.requests:
            self.stream = ScriptedStream()
        self.requests.append(request)
        await self.may_open.wait()
        if self.refusal is not None:
            raise self.refusal
        return self.stream
