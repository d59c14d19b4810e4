"""What the chunks of a stream of choices say → events.

Knows what chat completions and plain completions have in common, and remembers
what is needed to report things once: filters, usage and finish reasons that are
repeated, characters that were cut in two. Knows neither bytes nor how a stream
ends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Generic, TypeAlias

from msgspec import Raw

from tickertape.core.events import (
    ChoiceFinished,
    Event,
    FilterReported,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from tickertape.providers.translators.choice_chunk import (
    NO_RAW,
    AnyChoice,
    StreamChoice,
    StreamChunk,
)
from tickertape.providers.translators.json_text import read_json
from tickertape.providers.translators.members import count, member
from tickertape.providers.translators.surrogates import REPLACEMENT, SurrogateJoiner

FINISH_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
"""The provider's word → ours; any other is `other`."""

TextKind: TypeAlias = type[TextDelta | ReasoningDelta | RefusalDelta]
_TextKey: TypeAlias = tuple[int, TextKind | int]
"""Choice, and what the text is of: a kind of delta, or the tool call with this index."""


class ChoiceMemory:
    """What must be remembered of one choice."""

    __slots__ = ("annotations", "raw_filter", "raw_finish_reason", "tool_ids")

    def __init__(self) -> None:
        self.raw_finish_reason: str | None = None
        self.raw_filter: Raw = NO_RAW
        self.annotations: dict[str, object] = {}
        self.tool_ids: dict[int, str] = {}


class ChoiceAnswer(ABC, Generic[AnyChoice]):
    """One answer, with all its choices, as its chunks come in."""

    def __init__(self) -> None:
        self.choices: dict[int, ChoiceMemory] = {}
        """The choices that have begun."""
        self.texts: SurrogateJoiner[_TextKey] = SurrogateJoiner()
        self._prompt_annotations: list[dict[str, object]] = []
        self._usage = Usage()

    @property
    def finished_choices(self) -> int:
        """Return how many choices have their finish reason."""
        return sum(memory.raw_finish_reason is not None for memory in self.choices.values())

    def take(self, chunk: StreamChunk[AnyChoice], events: list[Event]) -> object:
        """Add the chunk's events, and return the error that it tells of; falsy when none.

        Raises:
            ValueError: a report in it can't be read. What came before it is added.
        """
        self._report_prompt_filters(chunk, events)
        error = chunk.error
        for choice in chunk.choices or ():
            self._take_choice(choice, events)
            # OpenRouter puts the error beside the choices or in one, or says only this.
            error = error or choice.error
            if choice.finish_reason == "error":
                error = error or 'finish_reason "error"'
        self._report_usage(chunk.usage, events)
        return error

    def flush(self, events: list[Event], *, only_choice: int | None = None) -> None:
        """Give up waiting for the other halves of characters."""
        held = [key for key in self.texts.held if only_choice is None or only_choice == key[0]]
        for choice, kind in held:
            self.texts.drop((choice, kind))
            if isinstance(kind, int):
                events.append(ToolCallDelta(index=kind, arguments=REPLACEMENT, choice=choice))
            else:
                events.append(kind(REPLACEMENT, choice))

    @abstractmethod
    def _take_content(
        self, choice: AnyChoice, index: int, memory: ChoiceMemory, events: list[Event]
    ) -> None:
        """Add what the model says in this choice."""

    def _take_choice(self, choice: AnyChoice, events: list[Event]) -> None:
        index = choice.index or 0
        memory = self.choices.get(index)
        if memory is None:
            memory = self.choices[index] = ChoiceMemory()
        self._take_content(choice, index, memory, events)
        if choice.content_filter_results is not NO_RAW:
            _report_filter(choice, index, memory, events)
        # An empty word means "not finished"; "error" is no reason, but an error.
        if choice.finish_reason and choice.finish_reason != "error":
            self._finish(index, memory, choice.finish_reason, events)

    def _take_text(
        self, kind: TextKind, text: str | None, choice: int, events: list[Event]
    ) -> None:
        if text and (whole := self.texts.join((choice, kind), text)):
            events.append(kind(whole, choice))

    def _finish(self, choice: int, memory: ChoiceMemory, raw: str, events: list[Event]) -> None:
        """Report why a choice stopped. A filter's late verdict replaces another, and is final."""
        if memory.raw_finish_reason in {raw, "content_filter"}:
            return
        memory.raw_finish_reason = raw
        self.flush(events, only_choice=choice)
        reason = FINISH_REASONS.get(raw, "other")
        events.append(ChoiceFinished(finish_reason=reason, raw_finish_reason=raw, choice=choice))

    def _report_prompt_filters(self, chunk: StreamChunk[AnyChoice], events: list[Event]) -> None:
        reports = chunk.prompt_filter_results or chunk.prompt_annotations
        if not isinstance(reports, list):
            return
        found = [member(report, "content_filter_results") for report in reports]
        annotations = [results for results in found if isinstance(results, dict) and results]
        if annotations != self._prompt_annotations:
            self._prompt_annotations = annotations
            events += [FilterReported(subject="prompt", annotations=each) for each in annotations]

    def _report_usage(self, counts: object, events: list[Event]) -> None:
        """Report usage where it changed: vLLM can send it with every chunk."""
        if counts is None:
            return
        usage = Usage(
            input_tokens=count(counts, "prompt_tokens"),
            output_tokens=count(counts, "completion_tokens"),
            total_tokens=count(counts, "total_tokens"),
            cached_input_tokens=count(member(counts, "prompt_tokens_details"), "cached_tokens"),
            reasoning_tokens=count(member(counts, "completion_tokens_details"), "reasoning_tokens"),
        )
        if usage != self._usage:
            self._usage = usage
            events.append(UsageReported(usage))


def _report_filter(
    choice: StreamChoice, index: int, memory: ChoiceMemory, events: list[Event]
) -> None:
    """Report annotations where they changed. Azure repeats the same ones on every chunk."""
    # A copy: what a Raw points into, it keeps alive, and that is a whole read.
    memory.raw_filter = choice.content_filter_results.copy()
    results = read_json(bytes(choice.content_filter_results))
    if not isinstance(results, dict) or not results:
        return
    # An asynchronous filter tells how far it has vetted the text.
    if choice.content_filter_offsets:
        results["content_filter_offsets"] = choice.content_filter_offsets
    if results != memory.annotations:
        memory.annotations = results
        events.append(FilterReported(subject="completion", annotations=results, choice=index))
