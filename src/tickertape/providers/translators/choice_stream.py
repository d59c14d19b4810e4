"""What chat completions and plain completions have in common as streams.

Knows `[DONE]`, where errors may hide, and when such a stream has ended properly.
"""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum
from typing import Generic

from tickertape.core.events import Event
from tickertape.core.sse import MAX_EVENT_BYTES, ServerSentEvent
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators import endings
from tickertape.providers.translators.choice_answer import ChoiceAnswer
from tickertape.providers.translators.choice_chunk import AnyChoice, StreamChunk
from tickertape.providers.translators.event_stream import PROPER_END, EventStreamTranslator
from tickertape.providers.translators.json_text import read_json


class EndPolicy(Enum):
    """What a provider must say for its stream to have ended properly.

    End of file is a proper end under both when each choice that began has its
    finish reason, and at least one began.
    """

    FINISH_REASON = "finish_reason"
    """A finish reason for each choice; `[DONE]` without them is a truncated answer."""
    DONE_IS_ENOUGH = "done_is_enough"
    """`[DONE]` suffices: for compatible servers that leave finish reasons out."""


class ChoiceStreamTranslator(EventStreamTranslator, Generic[AnyChoice]):
    """Translates one stream of choices; see `providers.base.Translator`."""

    def __init__(
        self,
        *,
        answer: ChoiceAnswer[AnyChoice],
        end_policy: EndPolicy,
        expected_choices: int,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        """Make a translator for one stream.

        `expected_choices` is the request's `n`: under `FINISH_REASON`, a choice
        that never began is missing too.
        """
        super().__init__(max_event_bytes=max_event_bytes)
        self._answer = answer
        self.end_policy = end_policy
        self.expected_choices = expected_choices
        # The answer's own, one step nearer: the short cuts look at both for every chunk.
        self._known = answer.choices
        self._held = answer.texts.held

    @abstractmethod
    def _decode_cut_chunk(self, data: str) -> StreamChunk[AnyChoice]:
        """Return a chunk in which a character was cut in two.

        Raises:
            ValueError: not JSON, or not this shape.
        """

    def _flush(self, events: list[Event]) -> None:
        self._answer.flush(events)

    def _take_odd_event(
        self, sent: ServerSentEvent, why: Exception, events: list[Event]
    ) -> StreamEnd | None:
        """Take an event that is no plain chunk: the end, a sign of life, or nonsense."""
        if sent.type == "error":
            return endings.provider_error(endings.error_body(sent.data))
        word = sent.data.strip()
        if word.startswith("[DONE]"):
            return self._take_done()
        if word in {"", "null"}:
            return None
        try:
            return self._take_chunk(sent, self._decode_cut_chunk(sent.data), events)
        except ValueError:
            return endings.malformed(f"{why}: {sent.data}")

    def _take_chunk(
        self, sent: ServerSentEvent, chunk: StreamChunk[AnyChoice], events: list[Event]
    ) -> StreamEnd | None:
        """Take one chunk by the full rule. What it brings counts, even beside an error."""
        if sent.type == "error":
            return endings.provider_error(endings.error_body(sent.data))
        try:
            error = self._answer.take(chunk, events)
            if chunk.choices is None:
                error = error or _flat_error(sent.data)
        except ValueError as unreadable:
            return endings.malformed(f"{unreadable}: {sent.data}")
        return endings.provider_error(error) if error else None

    def _take_done(self) -> StreamEnd:
        if self.end_policy is EndPolicy.DONE_IS_ENOUGH:
            return PROPER_END
        return self._end_by_finish_reasons("[DONE]")

    def _take_end_of_file(self) -> StreamEnd:
        return self._end_by_finish_reasons("end of file")

    def _end_by_finish_reasons(self, what_came: str) -> StreamEnd:
        """Return the proper end if every choice has finished, else `truncated`."""
        finished = self._answer.finished_choices
        expected = max(len(self._answer.choices), 1)
        if self.end_policy is EndPolicy.FINISH_REASON:
            expected = max(expected, self.expected_choices)
        if finished == expected:
            return PROPER_END
        return endings.truncated(f"{what_came} when {finished} of {expected} choices had finished")


def _flat_error(data: str) -> object:
    """Return the error in a chunk without choices that is one itself, else None."""
    body = read_json(data)
    is_error = isinstance(body, dict) and "error" in (body.get("object"), body.get("type"))
    return body if is_error else None
