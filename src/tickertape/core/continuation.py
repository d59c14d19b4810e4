"""What of an answer that is read again from its beginning is new.

Pure: knows what is stored and the events that come, and neither logs nor providers.
The same answer may be cut into other deltas the second time, so that texts are
compared and not events: each part's, character by character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from tickertape.core.events import (
    ChoiceFinished,
    Delta,
    Event,
    FilterReported,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from tickertape.core.run_state import RunState

_Part: TypeAlias = tuple[type[Delta], int, int | None]
"""A delta's type, its choice, and for a tool call which of them."""


class Continuation:
    """Drops what is stored from an answer that comes again, and keeps the rest."""

    def __init__(self, stored: RunState) -> None:
        """Begin with what is stored. It is read now, and may change afterwards."""
        self.mismatch = ""
        """How what came differs from what is stored, for operators; empty while it does not."""
        self._expected: Final = dict(_texts(stored))
        """What is stored of each part and has not come again yet."""
        self._names = {
            (choice_index, index): (call.id, call.name)
            for choice_index, choice in stored.choices.items()
            for index, call in choice.tool_calls.items()
        }
        self._filters = list(stored.filters)
        self._usage = stored.usage
        self._finishes = {
            index: (choice.finish_reason, choice.raw_finish_reason)
            for index, choice in stored.choices.items()
        }

    @property
    def is_behind(self) -> bool:
        """Tell whether something stored has not come again yet."""
        return any(self._expected.values())

    def take(self, events: Sequence[Event]) -> list[Event]:
        """Return what is new in these events: nothing more once there was a mismatch."""
        new: list[Event] = []
        for event in events:
            if not self.mismatch:
                new += self._take(event)
        return [] if self.mismatch else new

    def _take(self, event: Event) -> Iterable[Event]:
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                rest = self._beyond((type(event), event.choice, None), event.text)
                return [msgspec.structs.replace(event, text=rest)] if rest else []
            case ToolCallDelta():
                return self._take_call(event)
            case FilterReported():
                return [] if event in self._filters else [event]
            case UsageReported():
                return [] if event.usage == self._usage else [event]
            case ChoiceFinished():
                finish = (event.finish_reason, event.raw_finish_reason)
                return [] if finish == self._finishes.get(event.choice) else [event]
            case _:
                return [event]

    def _take_call(self, event: ToolCallDelta) -> Iterable[Event]:
        stored_id, stored_name = self._names.get((event.choice, event.index), (None, None))
        for stored, told in ((stored_id, event.id), (stored_name, event.name)):
            if stored and told and stored != told:
                self.mismatch = f"a tool call is {told!r}, and {stored!r} is stored"
        rest = self._beyond((ToolCallDelta, event.choice, event.index), event.arguments)
        new = msgspec.structs.replace(
            event,
            id=None if stored_id else event.id,
            name=None if stored_name else event.name,
            arguments=rest,
        )
        return [new] if new.id or new.name or rest else []

    def _beyond(self, part: _Part, text: str) -> str:
        """Return what of a part's next piece goes beyond what is stored of it."""
        expected = self._expected.get(part, "")
        if not expected:
            return text
        length = min(len(expected), len(text))
        if expected[:length] != text[:length]:
            self.mismatch = f"the stored text does not begin with what came of {part[0].__name__}"
        self._expected[part] = expected[length:]
        return text[length:]


def _texts(stored: RunState) -> Iterator[tuple[_Part, str]]:
    for index, choice in stored.choices.items():
        yield (TextDelta, index, None), choice.text
        yield (ReasoningDelta, index, None), choice.reasoning
        yield (RefusalDelta, index, None), choice.refusal
        for call_index, call in choice.tool_calls.items():
            yield (ToolCallDelta, index, call_index), call.arguments
