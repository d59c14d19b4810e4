"""A Responses stream's bytes → events.

Knows which event ends a response, and the two forms of an error. What the others
mean is `response_answer`'s business. Covers OpenAI, Azure OpenAI and llama.cpp;
their quirks, with sources, are in `conformance/providers/responses/`.

An event that only brings text (nearly all do) is done within the loop over what
a read brought, in `_take`; all else goes through `ResponseAnswer.take`, which is
the full rule.

Sources: OpenAI API reference, "Responses streaming events"; Azure OpenAI
documentation, "Azure OpenAI Responses API".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tickertape.core.events import Event, TextDelta
from tickertape.core.sse import MAX_EVENT_BYTES, ServerSentEvent, SseDecoder
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators import endings
from tickertape.providers.translators.event_stream import PROPER_END, EventStreamTranslator
from tickertape.providers.translators.json_text import UNREADABLE
from tickertape.providers.translators.members import member, text
from tickertape.providers.translators.response_answer import ResponseAnswer, usage_of
from tickertape.providers.translators.response_event import (
    MAX_NUMBER,
    TEXT_DELTA,
    ResponseEvent,
    decode_event,
    decode_head,
    decode_odd_event,
)

NO_NUMBER: Final = -1

_TERMINAL: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})
_LIFE: Final = frozenset({"created", "queued", "in_progress"}) | _TERMINAL
# What ends a response whatever the event is called that tells it.
_BAD_ENDS: Final = frozenset({"failed", "cancelled"})


class ResponsesTranslator(EventStreamTranslator):
    """Translates one Responses stream; see `providers.base.Translator`."""

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes=max_event_bytes)
        self.response_id = ""
        """The response's name at the provider, as soon as it is known."""
        self.last_number = NO_NUMBER
        """The highest sequence number of an event that was taken; `NO_NUMBER` before any."""
        self.is_over = False
        """The provider said that the response is over, well or badly."""
        self.resumptions = 0
        """How often another connection went on with the response."""
        self._answer = ResponseAnswer()
        self._taken_before = NO_NUMBER

    def resume(self) -> None:
        """Expect bytes from another connection, which tells what follows `last_number`.

        The event that the old connection was cut in is forgotten. One that comes
        again is skipped. Only then: servers that number badly would lose text.
        """
        self._decoder = SseDecoder(max_event_bytes=self._max_event_bytes)
        self._taken_before = self.last_number
        self.resumptions += 1

    def _take(self, sent: Sequence[ServerSentEvent], events: list[Event]) -> StreamEnd | None:
        """Take server-sent events until one ends the stream.

        The short cut is for one more piece of the text that the last one belonged to.
        """
        answer = self._answer
        held = answer.texts.held
        before = self._taken_before
        last = self.last_number
        output_index, content_index = answer.open_place
        note = answer.open_text.note
        for each in sent:
            try:
                head = decode_head(each.data)
            except UNREADABLE as error:
                end = self._take_odd_event(each, error, events)
            else:
                number = head.sequence_number
                if (
                    head.type == TEXT_DELTA
                    and (piece := head.delta)
                    and head.output_index == output_index
                    and head.content_index == content_index
                    and output_index is not None
                    and (number is None or before < number < MAX_NUMBER)
                    and each.type != "error"
                    and not held
                ):
                    if number is not None and number > last:
                        last = self.last_number = number
                    note(piece)
                    events.append(TextDelta(piece))
                    continue
                end = self._take_event(each, events)
            if end is not None:
                return end
            last = self.last_number
            output_index, content_index = answer.open_place
            note = answer.open_text.note
        return None

    def _take_odd_event(
        self, sent: ServerSentEvent, why: Exception, events: list[Event]
    ) -> StreamEnd | None:
        """Take an event that has no plain head: a sign of life, an odd shape, or nonsense."""
        word = sent.data.strip()
        # The end is told by an event; some servers add `[DONE]` from habit.
        if sent.type != "error" and (word in {"", "null"} or word.startswith("[DONE]")):
            return None
        return self._take_event(sent, events, why=why)

    def _take_event(
        self, sent: ServerSentEvent, events: list[Event], *, why: Exception | None = None
    ) -> StreamEnd | None:
        """Take one event by the full rule."""
        if sent.type == "error":
            return endings.provider_error(endings.error_body(sent.data))
        try:
            event = _decode(sent)
        except ValueError as error:
            return endings.malformed(f"{why or error}: {sent.data}")
        number = event.sequence_number
        if number is not None:
            self.last_number = max(self.last_number, number)
            if number <= self._taken_before:
                return None
        if event.type == "error" or (event.error and not event.type):
            return endings.provider_error(endings.error_body(sent.data))
        self._answer.take(event, events)
        stem, _, stage = event.type.rpartition(".")
        if stem == "response" and stage in _LIFE:
            return self._take_stage(stage, event.response, events)
        return None

    def _take_stage(self, stage: str, response: object, events: list[Event]) -> StreamEnd | None:
        """Take a response object: its status says more than the event's type."""
        self.response_id = self.response_id or text(response, "id")
        self._answer.take_filters(response, events)
        status = text(response, "status")
        if status in (_TERMINAL if stage in _TERMINAL else _BAD_ENDS):
            stage = status
        if stage not in _TERMINAL:
            return None
        self.is_over = True
        end = self._end_of(stage, response, events)
        if usage := usage_of(response):
            events.append(usage)
        return end

    def _end_of(self, stage: str, response: object, events: list[Event]) -> StreamEnd:
        match stage:
            case "failed":
                return endings.provider_error(member(response, "error") or "response.failed")
            case "cancelled":
                return endings.cancelled_there("the response's status is cancelled")
            case _:
                is_complete = stage == "completed"
                self._answer.finish(response, is_complete=is_complete, events=events)
                return PROPER_END

    def _take_end_of_file(self) -> StreamEnd:
        return endings.truncated("end of file before the response's last event")

    def _flush(self, events: list[Event]) -> None:
        self._answer.flush(events)


def _decode(sent: ServerSentEvent) -> ResponseEvent:
    """Return the event; the `event:` line tells its type where the JSON does not.

    Raises:
        ValueError: not a JSON object, or its text is no text.
    """
    try:
        event = decode_event(sent.data)
    except UNREADABLE:
        event = decode_odd_event(sent.data)
    if not event.type and sent.type != "message":
        event.type = sent.type
    return event
