"""What a chat completion's deltas say → events.

Knows the kinds of text in a delta, and tool calls. What all choices have in
common is `choice_answer`'s business.
"""

from __future__ import annotations

from tickertape.core.events import Event, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta
from tickertape.providers.translators.chat_chunk import (
    ChatChoice,
    ChatDelta,
    FunctionFragment,
    ToolCallFragment,
)
from tickertape.providers.translators.choice_answer import ChoiceAnswer, ChoiceMemory
from tickertape.providers.translators.surrogates import replace_surrogates


class ChatAnswer(ChoiceAnswer[ChatChoice]):
    """One chat completion, with all its choices, as its chunks come in."""

    def _take_content(
        self, choice: ChatChoice, index: int, memory: ChoiceMemory, events: list[Event]
    ) -> None:
        if choice.delta is not None:
            self._take_delta(choice.delta, index, memory, events)

    def _take_delta(
        self, delta: ChatDelta, choice: int, memory: ChoiceMemory, events: list[Event]
    ) -> None:
        self._take_text(ReasoningDelta, delta.reasoning_content, choice, events)
        # Gateways that serve both habits send the same thought twice.
        if delta.reasoning != delta.reasoning_content:
            self._take_text(ReasoningDelta, delta.reasoning, choice, events)
        self._take_text(TextDelta, delta.content, choice, events)
        self._take_text(RefusalDelta, delta.refusal, choice, events)
        for position, call in enumerate(delta.tool_calls or ()):
            self._take_tool_call(call, _tool_index(call, position, memory), choice, events)
        if delta.function_call is not None:
            self._take_tool_call(ToolCallFragment(function=delta.function_call), 0, choice, events)

    def _take_tool_call(
        self, call: ToolCallFragment, index: int, choice: int, events: list[Event]
    ) -> None:
        function = call.function or FunctionFragment()
        # The empty string, like null, means "as before".
        call_id = replace_surrogates(call.id or "") or None
        name = replace_surrogates(function.name or "") or None
        arguments = self.texts.join((choice, index), function.arguments or "")
        if call_id or name or arguments:
            events.append(
                ToolCallDelta(
                    index=index, id=call_id, name=name, arguments=arguments, choice=choice
                )
            )


def _tool_index(call: ToolCallFragment, position: int, memory: ChoiceMemory) -> int:
    """Return which call a fragment belongs to.

    Without an index it is the position, unless the id says that it is another call:
    whole calls may come without an index, each alone in its delta.
    """
    if call.index is not None:
        return call.index
    if not call.id:
        return position
    for index, known in memory.tool_ids.items():
        if known == call.id:
            return index
    index = max(memory.tool_ids) + 1 if position in memory.tool_ids else position
    memory.tool_ids[index] = call.id
    return index
