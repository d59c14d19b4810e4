"""A provider that does what a script says, and remembers what it sent and when.

What it remembers is the truth that a run is held against. It lives outside of the
processes: it goes on sending until its connection is closed, by whoever reads it or
by that process's death.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tests.simulation.loop import OWNER, Owner
from tests.simulation.network import Network
from tests.simulation.trace import Trace
from tickertape.core.errors import ProviderError
from tickertape.core.events import (
    ChoiceFinished,
    Event,
    RunError,
    TextDelta,
    Usage,
    UsageReported,
)
from tickertape.core.request import Request
from tickertape.providers.base import StreamEnd

Ending: TypeAlias = Literal["finish", "unended", "end_of_file", "break_off", "error", "silence"]
"""`unended`: the model stops, but the end of the stream never comes."""

TRUNCATED = RunError(code="truncated", message="The answer broke off.", is_retryable=True)
FAILED = RunError(code="provider_failed", message="The model failed.", is_retryable=True)


@dataclass(frozen=True, slots=True)
class Script:
    """What the model answers to one start."""

    pieces: tuple[tuple[float, str], ...]
    """The wait before each piece of text, in seconds, and the piece."""
    ending: Ending
    ending_wait_s: float
    opening_wait_s: float
    refusals: int = 0
    """How many openings are refused before one answers."""
    is_usage_early: bool = False
    """It reports its usage with the first piece, too."""

    @property
    def takes_s(self) -> float:
        """Return how long it takes to say all of its text."""
        return self.opening_wait_s + sum(wait_s for wait_s, _ in self.pieces)


@dataclass(slots=True)
class Opening:
    """One call to the provider, and what it came to."""

    name: str
    process: Owner
    opened_at_s: float
    is_refused: bool = False
    sent: list[tuple[float, str]] = field(default_factory=list)
    """When each piece of text was sent, and what."""
    usage: list[Usage] = field(default_factory=list)
    """What it reported that it will bill."""
    has_finished: bool = False
    """The model has given its finish reason."""
    finished_at_s: float | None = None
    was_cut: bool = False
    """The network broke the connection."""
    closed_at_s: float | None = None

    @property
    def text(self) -> str:
        """Return all that was sent."""
        return "".join([text for _, text in self.sent])


class _Translator:
    def __init__(self) -> None:
        self.end: StreamEnd | None = None
        self.waiting: list[tuple[list[Event], StreamEnd | None]] = []
        self._has_finished = False

    def feed(self, chunk: bytes) -> list[Event]:
        events: list[Event] = []
        for some, end in self.waiting:
            events += some
            self.end = end or self.end
        self.waiting.clear()
        self._has_finished = self._has_finished or any(
            type(event) is ChoiceFinished for event in events
        )
        return events

    def close(self) -> list[Event]:
        if self.end is None:
            self.end = StreamEnd() if self._has_finished else StreamEnd(TRUNCATED)
        return []


class SimulatedStream:
    """One answer in progress, at the process that reads it."""

    def __init__(self, provider: SimulatedProvider, script: Script, opening: Opening) -> None:
        self.translator = _Translator()
        self.opening = opening
        self._provider = provider
        self._script = script
        self._loop = provider.network.loop
        self._waiter: asyncio.Future[None] | None = None
        self._is_closed = False
        self._is_at_end = False
        self._error: ProviderError | None = None
        self._at = 0
        self._schedule()

    async def read(self) -> bytes:
        """See `ProviderStream.read`."""
        if not (self._is_closed or self.translator.waiting or self._is_at_end or self._error):
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._is_closed:
            return b""
        if self.translator.waiting:
            return b"."
        if self._error is not None:
            raise self._error
        return b""

    def close(self) -> None:
        """See `ProviderStream.close`."""
        if not self._is_closed:
            self._is_closed = True
            self.hang_up()
            self._wake()

    def hang_up(self) -> None:
        """Let the provider see its connection closed."""
        if self.opening.closed_at_s is None:
            self.opening.closed_at_s = self._loop.time()
            self._provider.trace.note(self.opening.process.name, f"provider closed: {self.name}")
            self._provider.streams.pop(self, None)

    @property
    def name(self) -> str:
        """Return which start it answers."""
        return self.opening.name

    def cut(self) -> None:
        """Break the connection in the network."""
        if self.opening.closed_at_s is None:
            self.opening.was_cut = True
            self._break_off(ProviderError("truncated", "the connection broke", is_retryable=True))

    def _schedule(self) -> None:
        script = self._script
        is_text = self._at < len(script.pieces)
        wait_s = script.pieces[self._at][0] if is_text else script.ending_wait_s
        context = self._provider.network.world.context
        self._loop.call_later(wait_s, self._send, context=context)

    def _send(self) -> None:
        opening, script = self.opening, self._script
        if opening.closed_at_s is not None or opening.was_cut:
            return
        # What comes without a wait between travels together.
        events: list[Event] = []
        while self._at < len(script.pieces):
            text = script.pieces[self._at][1]
            opening.sent.append((self._loop.time(), text))
            events.append(TextDelta(text))
            if script.is_usage_early and self._at == 0:
                events.append(self._report_usage(1))
            self._at += 1
            if self._at < len(script.pieces) and script.pieces[self._at][0] > 0:
                break
        is_end_later = script.ending_wait_s > 0 and bool(events)
        if self._at < len(script.pieces) or is_end_later:
            self._arrive(events, None)
            self._schedule()
        else:
            self._end(events)

    def _report_usage(self, output_tokens: int) -> Event:
        usage = Usage(input_tokens=3, output_tokens=output_tokens)
        self.opening.usage.append(usage)
        return UsageReported(usage)

    def _end(self, events: list[Event]) -> None:
        match self._script.ending:
            case "finish" | "unended":
                self.opening.has_finished = True
                self.opening.finished_at_s = self._loop.time()
                events.append(ChoiceFinished(finish_reason="stop", raw_finish_reason="stop"))
                events.append(self._report_usage(self._at))
                self._arrive(events, StreamEnd() if self._script.ending == "finish" else None)
            case "error":
                self._arrive(events, StreamEnd(FAILED, "its own words"))
            case "end_of_file":
                self._arrive(events, None)
                self._is_at_end = True
                self._wake()
            case "break_off":
                self._arrive(events, None)
                self._break_off(ProviderError("truncated", "it broke off", is_retryable=True))
            case "silence":
                self._arrive(events, None)

    def _arrive(self, events: list[Event], end: StreamEnd | None) -> None:
        if events or end is not None:
            self._provider.trace.note("provider", f"{self.name} sends {len(events)}, end {end}")
            self.translator.waiting.append((events, end))
            self._wake()

    def _break_off(self, error: ProviderError) -> None:
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class SimulatedProvider:
    """Where the model answers. A model's name says which start it is for."""

    name = "simulated"

    def __init__(self, network: Network, trace: Trace, scripts: dict[str, Script]) -> None:
        self.network = network
        self.trace = trace
        self.openings: list[Opening] = []
        # A dict, for its order.
        self.streams: dict[SimulatedStream, None] = {}
        self.unreachable_from: set[str] = set()
        """Names of the processes whose connections don't come through now."""
        self.scripts = scripts

    async def open(self, request: Request) -> SimulatedStream:
        """See `Provider.open`."""
        process = OWNER.get()
        script = self.scripts[request.model]
        await asyncio.sleep(self.network.delay_s())
        if process.name in self.unreachable_from:
            now_s = self.network.loop.time()
            unreached = Opening(request.model, process, now_s, is_refused=True, closed_at_s=now_s)
            self.openings.append(unreached)
            raise ProviderError("provider_unreachable", "not reached", is_retryable=True)
        opened_before = sum(opening.name == request.model for opening in self.openings)
        opening = Opening(request.model, process, self.network.loop.time())
        self.openings.append(opening)
        self.trace.note(process.name, f"provider opened: {request.model}")
        if opened_before < script.refusals:
            opening.is_refused = True
            opening.closed_at_s = self.network.loop.time()
            raise ProviderError("rate_limited", "too many", status=429, is_retryable=True)
        try:
            await asyncio.sleep(script.opening_wait_s)
        except asyncio.CancelledError:
            opening.closed_at_s = self.network.loop.time()
            raise
        stream = SimulatedStream(self, script, opening)
        self.streams[stream] = None
        return stream

    def hang_up(self, process: Owner) -> None:
        """See the connections of a process that has died closed."""
        for stream in [each for each in self.streams if each.opening.process is process]:
            stream.hang_up()
        for opening in self.openings:
            if opening.process is process and opening.closed_at_s is None:
                opening.closed_at_s = self.network.loop.time()

    def cut(self, process: Owner) -> None:
        """Break the connections of one process."""
        for stream in [each for each in self.streams if each.opening.process is process]:
            stream.cut()
