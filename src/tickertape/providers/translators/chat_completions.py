"""A chat completion stream's bytes → events.

Covers OpenAI and its dialects: Azure OpenAI, llama.cpp, Ollama, vLLM, OpenRouter,
DeepSeek; their quirks, with sources, are in `conformance/providers/chat_completions/`.

A chunk that only brings text (nearly all do) is done within the loop over what a
read brought, in `_take`; all else goes through `ChatAnswer.take`, which is
the full rule.

Sources: OpenAI API reference, "Chat completion streaming"; Azure OpenAI
documentation, "Content streaming".
"""

from __future__ import annotations

from collections.abc import Sequence

from tickertape.core.events import Event, TextDelta
from tickertape.core.sse import MAX_EVENT_BYTES, ServerSentEvent
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators.chat_answer import ChatAnswer
from tickertape.providers.translators.chat_chunk import (
    ChatChoice,
    ChatChunk,
    decode_chunk,
    decode_cut_chunk,
)
from tickertape.providers.translators.choice_chunk import NO_RAW
from tickertape.providers.translators.choice_stream import ChoiceStreamTranslator, EndPolicy
from tickertape.providers.translators.json_text import UNREADABLE
from tickertape.providers.translators.mould import MAX_MISSES, Mould, make_mould


class ChatCompletionsTranslator(ChoiceStreamTranslator[ChatChoice]):
    """Translates one chat completion stream; see `providers.base.Translator`."""

    def __init__(
        self,
        *,
        end_policy: EndPolicy = EndPolicy.FINISH_REASON,
        expected_choices: int = 1,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        """Make a translator for one stream; `expected_choices` is the request's `n`."""
        super().__init__(
            answer=ChatAnswer(),
            end_policy=end_policy,
            expected_choices=expected_choices,
            max_event_bytes=max_event_bytes,
        )
        self._mould: Mould | None = None
        self._misses = 0

    def _decode_cut_chunk(self, data: str) -> ChatChunk:
        return decode_cut_chunk(data)

    def _take(self, sent: Sequence[ServerSentEvent], events: list[Event]) -> StreamEnd | None:
        """Take server-sent events until one ends the stream.

        The short cut is for one known choice that gets text, and nothing else.
        """
        known = self._known
        held = self._held
        for each in sent:
            mould = self._mould
            if mould is not None and (more := mould.text_of(each.data)) and each.type == "message":
                events.append(TextDelta(more, mould.index))
                self._misses = 0
                continue
            try:
                chunk = decode_chunk(each.data)
            except UNREADABLE as error:
                self._mould = None
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
                    self._renew_mould(each.data, index)
                    continue
                self._mould = None
                end = self._take_chunk(each, chunk, events)
            if end is not None:
                return end
        return None

    def _renew_mould(self, data: str, index: int) -> None:
        """Take the newest plain chunk as the pattern of the next ones, while that pays."""
        self._misses += 1
        self._mould = make_mould(data, index) if self._misses <= MAX_MISSES else None
