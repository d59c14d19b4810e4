"""A chat completion stream's bytes → events.

Knows the framing (server-sent events, `[DONE]`), where errors may hide, and when
such a stream has ended properly. What a chunk means is `chat_answer`'s business.
Covers OpenAI and its dialects: Azure OpenAI, llama.cpp, Ollama, vLLM, OpenRouter,
DeepSeek; their quirks, with sources, are in `conformance/providers/chat_completions/`.

A chunk that only brings text (nearly all do) is done within the loop over what a
read brought, in `_take`; all else goes through `ChatAnswer.take`, which is
the full rule.

Sources: OpenAI API reference, "Chat completion streaming"; Azure OpenAI
documentation, "Content streaming".
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from tickertape.core.errors import EventTooLarge
from tickertape.core.events import Event, TextDelta
from tickertape.core.sse import MAX_EVENT_BYTES, ServerSentEvent, SseDecoder
from tickertape.providers import endings
from tickertape.providers.base import StreamEnd
from tickertape.providers.chat_answer import ChatAnswer
from tickertape.providers.chat_chunk import (
    NO_RAW,
    UNREADABLE,
    ChatChunk,
    decode_chunk,
    decode_cut_chunk,
    read_json,
)

_PROPER_END: Final = StreamEnd()


class EndPolicy(Enum):
    """What a provider must say for its stream to have ended properly.

    End of file is a proper end under both when each choice that began has its
    finish reason, and at least one began.
    """

    FINISH_REASON = "finish_reason"
    """A finish reason for each choice; `[DONE]` without them is a truncated answer."""
    DONE_IS_ENOUGH = "done_is_enough"
    """`[DONE]` suffices: for compatible servers that leave finish reasons out."""


class ChatCompletionsTranslator:
    """Translates one chat completion stream; see `providers.base.Translator`."""

    def __init__(
        self,
        *,
        end_policy: EndPolicy = EndPolicy.FINISH_REASON,
        expected_choices: int = 1,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        """Make a translator for one stream.

        `expected_choices` is the request's `n`: under `FINISH_REASON`, a choice
        that never began is missing too.
        """
        self.end: StreamEnd | None = None
        self._end_policy = end_policy
        self._expected_choices = expected_choices
        self._decoder = SseDecoder(max_event_bytes=max_event_bytes)
        self._answer = ChatAnswer()
        # The answer's own, one step nearer: the short cut looks at both for every chunk.
        self._known = self._answer.choices
        self._held = self._answer.texts.held

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
        self._answer.flush(events)
        self.end = end

    def _take(self, sent: list[ServerSentEvent], events: list[Event]) -> StreamEnd | None:
        """Take server-sent events until one ends the stream.

        The short cut is for one known choice that gets text, and nothing else.
        """
        known = self._known
        held = self._held
        for each in sent:
            try:
                chunk = decode_chunk(each.data)
            except UNREADABLE as error:
                end = self._take_odd_event(each, error, events)
            else:
                choices = chunk.choices
                if (
                    choices is not None
                    and len(choices) == 1
                    and (delta := (choice := choices[0]).delta) is not None
                    and (text := delta.content)
                    and (index := choice.index) is not None
                    and (memory := known.get(index)) is not None
                    and (
                        (results := choice.content_filter_results) is NO_RAW
                        or results == memory.raw_filter
                    )
                    and choice.content_filter_offsets is None
                    and choice.finish_reason is None
                    and choice.error is None
                    and delta.reasoning_content is None
                    and delta.reasoning is None
                    and delta.refusal is None
                    and delta.tool_calls is None
                    and delta.function_call is None
                    and chunk.usage is None
                    and chunk.error is None
                    and chunk.prompt_filter_results is None
                    and chunk.prompt_annotations is None
                    and each.type == "message"
                    and not held
                ):
                    events.append(TextDelta(text, index))
                    continue
                end = self._take_chunk(each, chunk, events)
            if end is not None:
                return end
        return None

    def _take_odd_event(
        self, sent: ServerSentEvent, why: Exception, events: list[Event]
    ) -> StreamEnd | None:
        """Take an event that is no plain chunk: the end, a sign of life, or nonsense."""
        if sent.type == "error":
            return endings.provider_error(_error_body(sent.data))
        word = sent.data.strip()
        if word.startswith("[DONE]"):
            return self._take_done()
        if word in {"", "null"}:
            return None
        try:
            return self._take_chunk(sent, decode_cut_chunk(sent.data), events)
        except ValueError:
            return endings.malformed(f"{why}: {sent.data}")

    def _take_chunk(
        self, sent: ServerSentEvent, chunk: ChatChunk, events: list[Event]
    ) -> StreamEnd | None:
        """Take one chunk by the full rule. What it brings counts, even beside an error."""
        if sent.type == "error":
            return endings.provider_error(_error_body(sent.data))
        try:
            error = self._answer.take(chunk, events)
            if chunk.choices is None:
                error = error or _flat_error(sent.data)
        except ValueError as unreadable:
            return endings.malformed(f"{unreadable}: {sent.data}")
        return endings.provider_error(error) if error else None

    def _take_done(self) -> StreamEnd:
        if self._end_policy is EndPolicy.DONE_IS_ENOUGH:
            return _PROPER_END
        return self._end_by_finish_reasons("[DONE]")

    def _take_end_of_file(self) -> StreamEnd:
        return self._end_by_finish_reasons("end of file")

    def _end_by_finish_reasons(self, what_came: str) -> StreamEnd:
        """Return the proper end if every choice has finished, else `truncated`."""
        finished = self._answer.finished_choices
        expected = max(len(self._answer.choices), 1)
        if self._end_policy is EndPolicy.FINISH_REASON:
            expected = max(expected, self._expected_choices)
        if finished == expected:
            return _PROPER_END
        return endings.truncated(f"{what_came} when {finished} of {expected} choices had finished")


def _error_body(data: str) -> object:
    """Return what an `event: error` says: nested in `error`, flat, or plain text."""
    try:
        body = read_json(data)
    except ValueError:
        return data
    return (body.get("error") or body) if isinstance(body, dict) else data


def _flat_error(data: str) -> object:
    """Return the error in a chunk without choices that is one itself, else None."""
    body = read_json(data)
    is_error = isinstance(body, dict) and "error" in (body.get("object"), body.get("type"))
    return body if is_error else None
