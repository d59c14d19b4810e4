"""What the engine asks of a provider, and of a translator that needs no socket.

Knows no protocol and opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tickertape.core.events import Event, RunError
from tickertape.core.request import Request


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """A provider's stream is over: with an error, or (None) as it should be."""

    error: RunError | None = None
    detail: str = ""
    """The provider's own words, for operators only (P10)."""


class Translator(Protocol):
    """One provider stream's bytes → events. One for each stream; needs no socket.

    It never raises for what the provider sends: bad bytes become an `end` with
    an error, and the events before them are kept.
    """

    end: StreamEnd | None
    """None while the stream goes on. Once set, feed nothing more."""

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events completed by `chunk`, possibly none.

        Any split of the stream's bytes gives the same events. Sets `end` when
        the stream says that it is over.
        """

    def close(self) -> list[Event]:
        """Take the end of file: return what was held back, and set `end`.

        Where the stream never said how it ended, `end` has the error
        `truncated`. Safe to call when `end` is set already: changes nothing.
        """


class ProviderStream(Protocol):
    """An answer being received. Owned by one task; closed by it in every case."""

    @property
    def translator(self) -> Translator:
        """Return the one translator of this stream's bytes."""

    async def read(self) -> bytes:
        """Return the next bytes, whatever has arrived; `b""` at the end of file.

        Raises:
            ProviderError: the connection broke (`truncated`).
        """

    def close(self) -> None:
        """Close the connection, which makes the provider stop. Safe to repeat.

        May be called by another task while one waits in `read`: that read then
        ends at once, with `b""` or a `ProviderError`.
        """


@runtime_checkable
class StoredStream(ProviderStream, Protocol):
    """A stream of an answer that its provider stores: others can read it again from there."""

    @property
    def response_id(self) -> str:
        """Return the answer's name there; empty while it has none."""

    def detach(self) -> None:
        """Close the connection only: the answer goes on there, for another reader."""


@dataclass(frozen=True, slots=True)
class Route:
    """One deployment that can answer: a provider, and its own name for the model."""

    provider: Provider
    model: str


class Provider(Protocol):
    """Where a model answers."""

    name: str
    """What it is called in `RunStarted.provider`, and before the slash of a model's name."""

    async def open(self, request: Request) -> ProviderStream:
        """Send the request and return its answer once the status is known.

        Raises:
            ProviderError: not reached, or refused. Nothing stays open.
        """


@runtime_checkable
class Reattachable(Protocol):
    """A provider that stores answers, and can be asked for one again."""

    async def reattach(self, response_id: str, *, model: str) -> ProviderStream:
        """Return the stream of a stored answer, from its beginning.

        Raises:
            ProviderError: not reached, or refused.
        """

    def stop(self, response_id: str, *, model: str) -> None:
        """Let the provider stop a stored answer, soon. It is not waited for here."""
