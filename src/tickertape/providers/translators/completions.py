"""A plain completion stream's bytes → events.

The API from before chat: prompt in, text out. OpenAI, Azure OpenAI, llama.cpp and
vLLM still serve it; their quirks, with sources, are in
`conformance/providers/completions/`.

A chunk that only brings text (nearly all do) is done within the loop over what a
read brought, in `_take`; all else goes through `ChoiceAnswer.take`, which is
the full rule.

Sources: OpenAI API reference, "Completions"; Azure OpenAI documentation,
"Content streaming".
"""

from __future__ import annotations

from collections.abc import Sequence

from tickertape.core.events import Event, TextDelta
from tickertape.core.sse import MAX_EVENT_BYTES, ServerSentEvent
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators.choice_answer import ChoiceAnswer, ChoiceMemory
from tickertape.providers.translators.choice_chunk import NO_RAW
from tickertape.providers.translators.choice_stream import ChoiceStreamTranslator, EndPolicy
from tickertape.providers.translators.completion_chunk import (
    CompletionChoice,
    CompletionChunk,
    decode_chunk,
    decode_cut_chunk,
)
from tickertape.providers.translators.json_text import UNREADABLE


class CompletionAnswer(ChoiceAnswer[CompletionChoice]):
    """One plain completion, with all its choices, as its chunks come in."""

    def _take_content(
        self, choice: CompletionChoice, index: int, _memory: ChoiceMemory, events: list[Event]
    ) -> None:
        self._take_text(TextDelta, choice.text, index, events)


class CompletionsTranslator(ChoiceStreamTranslator[CompletionChoice]):
    """Translates one plain completion stream; see `providers.base.Translator`."""

    def __init__(
        self,
        *,
        end_policy: EndPolicy = EndPolicy.FINISH_REASON,
        expected_choices: int = 1,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        """Make a translator for one stream.

        `expected_choices` is how many answers were asked for: the request's `n`
        for each of its prompts.
        """
        super().__init__(
            answer=CompletionAnswer(),
            end_policy=end_policy,
            expected_choices=expected_choices,
            max_event_bytes=max_event_bytes,
        )

    def _decode_cut_chunk(self, data: str) -> CompletionChunk:
        return decode_cut_chunk(data)

    def _take(self, sent: Sequence[ServerSentEvent], events: list[Event]) -> StreamEnd | None:
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
                    and (text := (choice := choices[0]).text)
                    and (index := choice.index) is not None
                    and (memory := known.get(index)) is not None
                    and (
                        (results := choice.content_filter_results) is NO_RAW
                        or results == memory.raw_filter
                    )
                    and choice.content_filter_offsets is None
                    and choice.finish_reason is None
                    and choice.error is None
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
