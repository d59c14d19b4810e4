"""The ways in which an answer reaches a reader: a script, the engine's log, a server.

Each takes a provider to the end of one answer, and says what its reader got.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from tests.web.conftest import serving
from tickertape.client.chat import async_stream_chat
from tickertape.client.completion import async_stream_completion
from tickertape.client.reader import async_start_run
from tickertape.client.text_stream import AsyncTextStream
from tickertape.core.codec import encode_event
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import TickertapeError
from tickertape.core.events import Event, RunEnded, TextDelta
from tickertape.core.request import ChatRequest, CompletionRequest, Request
from tickertape.core.retry import Backoff
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.providers.base import Provider, Route
from tickertape.providers.catalog import Catalog
from tickertape.web.asgi import create_app
from tickertape.web.handlers import Handlers


class Delivery(Struct, kw_only=True):
    """What a reader got, from the first event to the last."""

    events: Sequence[Event]
    raised: TickertapeError | None = None
    """How a script is told that the answer is not whole."""
    wire: bytes = b""
    """Every byte that left the server: heads and bodies."""

    @property
    def text(self) -> str:
        """Return choice 0's text."""
        return "".join(
            event.text for event in self.events if type(event) is TextDelta and not event.choice
        )

    @property
    def ends(self) -> list[RunEnded]:
        """Return every end; there should be one."""
        return [event for event in self.events if type(event) is RunEnded]

    @property
    def shown(self) -> bytes:
        """Return all that a reader could see."""
        return b"\n".join(map(encode_event, self.events)) + self.wire


Way: TypeAlias = Callable[[Provider, Request, Deadlines], Awaitable[Delivery]]


async def script(provider: Provider, request: Request, deadlines: Deadlines) -> Delivery:
    """Read the provider's answer in a script, without a server."""
    choices = request.n if isinstance(request.n, int) else None
    settings: dict[str, Any] = {
        "n": choices,
        "deadlines": deadlines,
        "catalog": _catalog_of(provider),
    }
    match request:
        case ChatRequest():
            return await _read(async_stream_chat(request.messages, request.model, **settings))
        case CompletionRequest():
            return await _read(async_stream_completion(request.prompt, request.model, **settings))


async def engine(provider: Provider, request: Request, deadlines: Deadlines) -> Delivery:
    """Run the answer in an engine, and read it from the log as it grows."""
    async with Engine(MemoryLog(), deadlines=deadlines) as runs:
        return Delivery(events=await run_to_end(runs, provider, request))


async def server(provider: Provider, request: Request, deadlines: Deadlines) -> Delivery:
    """Run the answer on a real server, and read it with our client."""
    assert isinstance(request, ChatRequest)
    async with serving_provider(provider, deadlines) as (url, wire):
        stream = async_start_run(url, request, backoff=Backoff(max_retries=0))
        delivery = await _read(stream)
        delivery.wire = bytes(wire)
        return delivery


WAYS: dict[str, Way] = {"script": script, "engine": engine, "server": server}


async def run_to_end(runs: Engine, provider: Provider, request) -> list[Event]:
    """Start a run and return its events, all of them."""
    created = await runs.start([Route(provider, request.model)], request)
    events: list[Event] = []
    async with await runs.tail(created.run_id) as tail:
        while not tail.is_over:
            events += [record.event for record in await tail.next()]
    return events


@contextlib.asynccontextmanager
async def serving_provider(provider: Provider, deadlines: Deadlines):
    """Serve the provider's model; yield the URL, and what leaves the server."""
    wire = bytearray()
    async with Engine(MemoryLog(), deadlines=deadlines) as runs:
        handlers = Handlers(runs, _catalog_of(provider))
        app = create_app(lambda: contextlib.nullcontext(handlers), page_folder=None)

        async def recording(scope, receive, send):
            async def recorded(message):
                wire.extend(message.get("body", b""))
                for name, value in message.get("headers", ()):
                    wire.extend(name + b": " + value + b"\n")
                await send(message)

            await app(scope, receive, recorded)

        async with serving(recording) as url:
            yield url, wire


def _catalog_of(provider: Provider) -> Catalog:
    return Catalog({provider.name: provider}, default=provider.name)


async def _read(stream: AsyncTextStream) -> Delivery:
    events: list[Event] = []
    raised = None
    try:
        async for event in stream.events():
            events.append(event)
    except TickertapeError as error:
        raised = error
    return Delivery(events=events, raised=raised)


async def settle(is_settled: Callable[[], bool]) -> bool:
    """Let the loop run until the condition holds; give up after a second of its time."""
    try:
        async with asyncio.timeout(1):
            while not is_settled():
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True
