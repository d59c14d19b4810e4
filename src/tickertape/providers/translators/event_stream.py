"""What every translator of server-sent events has in common: framing, and the one end.

Knows no protocol: what an event says, and when a stream has ended properly, is
for each API's own translator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from tickertape.core.errors import EventTooLarge
from tickertape.core.events import Event
from tickertape.core.sse import MAX_EVENT_BYTES, ServerSentEvent, SseDecoder
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators import endings

PROPER_END: Final = StreamEnd()


class EventStreamTranslator(ABC):
    """Translates one stream of server-sent events; see `providers.base.Translator`."""

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.end: StreamEnd | None = None
        self._max_event_bytes = max_event_bytes
        self._decoder = SseDecoder(max_event_bytes=max_event_bytes)

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events completed by `chunk`, possibly none."""
        events: list[Event] = []
        if self.end is None:
            try:
                sent = self._decoder.feed(chunk)
            except EventTooLarge as error:
                end: StreamEnd | None = endings.too_large(str(error))
            else:
                end = self._take(sent, events)
            if end is not None:
                self._end_with(end, events)
        return events

    def close(self) -> list[Event]:
        """Take the end of file: return what was held back, and set `end`."""
        # The decoder may have an error left to tell.
        events = self.feed(b"")
        if self.end is None:
            self._end_with(self._take_end_of_file(), events)
        return events

    def _end_with(self, end: StreamEnd, events: list[Event]) -> None:
        self._flush(events)
        self.end = end

    @abstractmethod
    def _take(self, sent: Sequence[ServerSentEvent], events: list[Event]) -> StreamEnd | None:
        """Take server-sent events until one ends the stream; return that end."""

    @abstractmethod
    def _take_end_of_file(self) -> StreamEnd:
        """Return what it means that the stream ended without saying so."""

    @abstractmethod
    def _flush(self, events: list[Event]) -> None:
        """Add what was held back: nothing will complete it."""
