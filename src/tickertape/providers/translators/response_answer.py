"""What the events of a Responses stream say → events of ours.

Knows what each event means, and remembers what is needed to report things once:
texts that come as deltas, then whole with their part, again with their item, and
once more with the response; filters that are repeated; characters that were cut
in two. Knows neither bytes nor how a stream ends.

A response has one choice. Texts of several messages and parts are joined in the
order in which they arrive.

The rule for a whole text: what it has beyond what was passed on is passed on. One
that does not begin with what was passed on (trimmed, or in another order) adds
nothing: the deltas count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tickertape.core.events import (
    ChoiceFinished,
    Event,
    FilterReported,
    FinishReason,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from tickertape.providers.translators.members import count, items, member, text
from tickertape.providers.translators.response_event import ResponseEvent
from tickertape.providers.translators.response_items import (
    TEXT_KINDS,
    ContentItem,
    Items,
    Text,
    ToolItem,
)
from tickertape.providers.translators.surrogates import (
    REPLACEMENT,
    SurrogateJoiner,
    replace_surrogates,
)

INCOMPLETE_REASONS: Final[dict[str, FinishReason]] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
"""The provider's word → ours; any other is `other`."""

_PART_OF: Final = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_text": "reasoning_text",
    "response.reasoning_summary_text": "summary_text",
}
_ARGUMENTS: Final = frozenset(
    {"response.function_call_arguments", "response.custom_tool_call_input"}
)
_PARTS: Final = frozenset({"response.content_part", "response.reasoning_summary_part"})
_ITEM: Final = "response.output_item"
_CONTENTS: Final = frozenset({"message", "reasoning"})
_TOOLS: Final = frozenset({"function_call", "custom_tool_call"})


class ResponseAnswer:
    """One response's output, as its events come in."""

    def __init__(self) -> None:
        self.texts: SurrogateJoiner[Text] = SurrogateJoiner()
        self.open_place: tuple[int | None, int | None] = (None, None)
        """Output and content index of `open_text`; None where they are not told."""
        self.open_text = Text(TextDelta)
        """The part that got the latest piece of the answer."""
        self._contents = Items(ContentItem)
        self._tools = Items(ToolItem)
        self._filters: list[FilterReported] = []

    def take(self, event: ResponseEvent, events: list[Event]) -> None:
        """Add what one event brings; nothing when it is of a type not known here."""
        stem, _, stage = event.type.rpartition(".")
        if stem in _PART_OF:
            self._take_text(event, _PART_OF[stem], events)
        elif stem in _ARGUMENTS:
            self._take_arguments(event, events)
        elif stem in _PARTS and stage == "done":
            self._take_part(event, events)
        elif stem == _ITEM and stage in {"added", "done"}:
            self._take_item(event, events, is_done=stage == "done")

    def take_filters(self, response: object, events: list[Event]) -> None:
        """Report Azure's annotations where they changed: each response object repeats them."""
        reports = [
            report
            for entry in items(response, "content_filters")
            if (report := _filter_report(entry)) is not None
        ]
        events += [report for report in reports if report not in self._filters]
        self._filters = reports or self._filters

    def finish(self, response: object, *, is_complete: bool, events: list[Event]) -> None:
        """Take the whole response at its end: what was missing, why the model stopped."""
        output = items(response, "output")
        self._complete_contents(self._contents.all, output, events)
        self._complete_tools(output, events)
        self.flush(events)
        reason: FinishReason = "tool_calls" if self._tools.all else "stop"
        word = "completed"
        if not is_complete:
            word = text(member(response, "incomplete_details"), "reason") or "incomplete"
            reason = INCOMPLETE_REASONS.get(word, "other")
        events.append(ChoiceFinished(finish_reason=reason, raw_finish_reason=word))

    def flush(self, events: list[Event]) -> None:
        """Give up waiting for the other halves of characters."""
        for held in list(self.texts.held):
            self.texts.drop(held)
            events.append(held.pass_on(REPLACEMENT))

    def _take_text(self, event: ResponseEvent, kind: str, events: list[Event]) -> None:
        item = self._contents.find(event.item_id, event.output_index, trusts_ids=False)
        index = event.summary_index if kind == "summary_text" else event.content_index
        part = item.part(kind, index)
        if event.type.endswith(".delta"):
            self._pass_on(part, event.delta, events)
            if kind == "output_text":
                self.open_place = (event.output_index, event.content_index)
                self.open_text = part
        elif event.type.endswith(".done"):
            whole = event.refusal if kind == "refusal" else event.text
            self._complete([part], whole, events)

    def _take_part(self, event: ResponseEvent, events: list[Event]) -> None:
        kind, whole = _part_text(event.part)
        if kind in TEXT_KINDS:
            item = self._contents.find(event.item_id, event.output_index, trusts_ids=False)
            index = event.summary_index if kind == "summary_text" else event.content_index
            self._complete([item.part(kind, index)], whole, events)

    def _take_arguments(self, event: ResponseEvent, events: list[Event]) -> None:
        call = self._tools.find(event.item_id, event.output_index, trusts_ids=True)
        if event.type.endswith(".delta"):
            self._pass_on(call.arguments, event.delta, events)
        elif event.type.endswith(".done"):
            self._name(call, call_id="", name=event.name or "", events=events)
            whole = event.input if event.arguments is None else event.arguments
            self._complete([call.arguments], whole, events)

    def _take_item(self, event: ResponseEvent, events: list[Event], *, is_done: bool) -> None:
        kind = text(event.item, "type")
        item_id = text(event.item, "id") or None
        if kind in _CONTENTS:
            item = self._contents.find(item_id, event.output_index, trusts_ids=not is_done)
            if is_done:
                self._complete_contents([item], [event.item], events)
                item.is_done = True
        elif kind in _TOOLS:
            call = self._call(event.item, item_id, event.output_index)
            self._take_call(call, event.item, events, is_done=is_done)

    def _call(self, item: object, item_id: str | None, output_index: int | None) -> ToolItem:
        """Return the tool call that an item is: its call id decides, where both have one."""
        call_id = text(item, "call_id")
        for known in self._tools.all:
            if call_id and known.call_id == call_id:
                return known
        found = self._tools.find(item_id, output_index, trusts_ids=True)
        return self._tools.begin(item_id, output_index) if found.call_id and call_id else found

    def _take_call(
        self, call: ToolItem, item: object, events: list[Event], *, is_done: bool
    ) -> None:
        # A server without call ids still needs one for the answer to the call.
        call_id = text(item, "call_id") or text(item, "id")
        self._name(call, call_id=call_id, name=text(item, "name"), events=events)
        if is_done:
            self._complete([call.arguments], text(item, "arguments") or text(item, "input"), events)
            call.is_done = True

    def _name(self, call: ToolItem, *, call_id: str, name: str, events: list[Event]) -> None:
        """Report a call's id and name, each of them once."""
        new_id = "" if call.call_id else call_id
        new_name = "" if call.name else name
        if new_id or new_name:
            call.call_id = call.call_id or new_id
            call.name = call.name or new_name
            events.append(
                ToolCallDelta(index=call.position, id=new_id or None, name=new_name or None)
            )

    def _complete_contents(
        self, begun: Sequence[ContentItem], whole_items: Sequence[object], events: list[Event]
    ) -> None:
        """Pass on what whole items have beyond what was passed on of those that have begun."""
        for kind, whole in _whole_texts(whole_items).items():
            parts = [part for item in begun for part in item.parts(kind)]
            if not parts:
                item = begun[-1] if begun else self._contents.begin(None, None)
                parts = [item.part(kind, None)]
            self._complete(parts, whole, events)

    def _complete_tools(self, output: Sequence[object], events: list[Event]) -> None:
        calls = [item for item in output if text(item, "type") in _TOOLS]
        for position, item in enumerate(calls):
            if position < len(self._tools.all) and not text(item, "call_id"):
                call = self._tools.all[position]
            else:
                call = self._call(item, text(item, "id") or None, None)
            self._take_call(call, item, events, is_done=True)

    def _pass_on(self, part: Text, piece: str | None, events: list[Event]) -> None:
        if piece and (whole := self.texts.join(part, piece)):
            events.append(part.pass_on(whole))

    def _complete(self, parts: Sequence[Text], whole: str | None, events: list[Event]) -> None:
        """Pass on what a whole text has beyond its parts; see the module's rule."""
        if not whole:
            return
        whole = replace_surrogates(whole)
        passed_on = "".join([part.passed_on for part in parts])
        if whole.startswith(passed_on):
            for part in parts:
                self.texts.drop(part)
            if rest := whole[len(passed_on) :]:
                events.append(parts[-1].pass_on(rest))


def usage_of(response: object) -> UsageReported | None:
    """Return what a response object says about its tokens; None where it says nothing."""
    counts = member(response, "usage")
    if not isinstance(counts, dict):
        return None
    usage = Usage(
        input_tokens=count(counts, "input_tokens"),
        output_tokens=count(counts, "output_tokens"),
        total_tokens=count(counts, "total_tokens"),
        cached_input_tokens=count(member(counts, "input_tokens_details"), "cached_tokens"),
        reasoning_tokens=count(member(counts, "output_tokens_details"), "reasoning_tokens"),
    )
    return UsageReported(usage) if usage != Usage() else None


def _whole_texts(whole_items: Sequence[object]) -> dict[str, str]:
    """Return the texts of whole items, joined for each type of part."""
    texts: dict[str, str] = {}
    for item in whole_items:
        if text(item, "type") in _CONTENTS:
            for part in (*items(item, "summary"), *items(item, "content")):
                kind, whole = _part_text(part)
                if kind in TEXT_KINDS:
                    texts[kind] = texts.get(kind, "") + whole
    return texts


def _part_text(part: object) -> tuple[str, str]:
    """Return a part's type and text."""
    kind = text(part, "type")
    return kind, text(part, "refusal" if kind == "refusal" else "text")


def _filter_report(entry: object) -> FilterReported | None:
    """Return one of Azure's annotations; None where there is nothing in it."""
    results = member(entry, "content_filter_results")
    annotations = dict(results) if isinstance(results, dict) else {}
    if member(entry, "blocked") is True:
        annotations["blocked"] = True
    if not annotations:
        return None
    if offsets := member(entry, "content_filter_offsets"):
        annotations["content_filter_offsets"] = offsets
    is_prompt = text(entry, "source_type") == "prompt"
    return FilterReported(
        subject="prompt" if is_prompt else "completion",
        annotations=annotations,
        choice=None if is_prompt else 0,
    )
