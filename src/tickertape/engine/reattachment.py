"""Going on with an answer that a provider stores, after its first writer died.

The provider tells the answer again from its beginning; what the log has of it
already is dropped. To the step this is a route like any other.
"""

from __future__ import annotations

from typing import Final

from tickertape.core.continuation import Continuation
from tickertape.core.errors import ProviderError
from tickertape.core.events import AnswerStored, Event
from tickertape.core.lost_run import PRODUCER_LOST
from tickertape.core.request import ChatRequest, Request
from tickertape.core.run_state import RunState
from tickertape.engine.attempts import detach
from tickertape.providers.base import ProviderStream, Reattachable, Route, StreamEnd, Translator

NO_REQUEST: Final = ChatRequest(messages=[])
"""What was asked is not in the log, and nobody is asked again."""


def route_to_stored(provider: Reattachable, stored: AnswerStored, state: RunState) -> Route:
    """Return a route whose stream brings what the stored answer has beyond `state`."""
    return Route(_StoredAnswer(provider, stored, Continuation(state)), stored.model)


class _StoredAnswer:
    """A provider that can be opened once, for one answer."""

    def __init__(
        self, provider: Reattachable, stored: AnswerStored, continuation: Continuation
    ) -> None:
        self.name = stored.provider
        self._provider = provider
        self._stored = stored
        self._continuation = continuation

    async def open(self, request: Request) -> ProviderStream:  # noqa: ARG002
        """See `Provider.open`. Whatever keeps us from the answer, its producer is lost."""
        stored = self._stored
        try:
            stream = await self._provider.reattach(stored.response_id, model=stored.model)
        except ProviderError as error:
            raise ProviderError(
                PRODUCER_LOST.code,
                PRODUCER_LOST.message,
                detail=f"{error}: {error.detail}",
                is_retryable=PRODUCER_LOST.is_retryable,
            ) from error
        return _ContinuedStream(stream, self._continuation)


class _ContinuedStream:
    """A stored answer's stream, without what is in the log."""

    def __init__(self, stream: ProviderStream, continuation: Continuation) -> None:
        self.translator = _ContinuedTranslator(stream.translator, continuation)
        self._stream = stream

    async def read(self) -> bytes:
        """See `ProviderStream.read`."""
        return await self._stream.read()

    def close(self) -> None:
        """See `ProviderStream.close`."""
        self._stream.close()

    @property
    def response_id(self) -> str:
        """Return no name: where this answer is stored is in the log already."""
        return ""

    def detach(self) -> None:
        """See `StoredStream.detach`."""
        detach(self._stream)


class _ContinuedTranslator:
    """See `providers.base.Translator`. Ends badly where the answer is not the stored one."""

    def __init__(self, translator: Translator, continuation: Continuation) -> None:
        self.end: StreamEnd | None = None
        self._translator = translator
        self._continuation = continuation

    def feed(self, chunk: bytes) -> list[Event]:
        """See `Translator.feed`."""
        return self._beyond(self._translator.feed(chunk))

    def close(self) -> list[Event]:
        """See `Translator.close`."""
        return [] if self.end is not None else self._beyond(self._translator.close())

    def _beyond(self, events: list[Event]) -> list[Event]:
        continuation = self._continuation
        new = continuation.take(events)
        end = self._translator.end
        if continuation.mismatch:
            end = StreamEnd(PRODUCER_LOST, continuation.mismatch)
        elif end == StreamEnd() and continuation.is_behind:
            end = StreamEnd(PRODUCER_LOST, "the answer ended before all that is stored of it")
        self.end = end
        return new
