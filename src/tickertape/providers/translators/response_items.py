"""The output items of a response, and what of their text has been passed on.

Knows how an event says which item it is about, and that not every server says it
well: an index may be missing (llama.cpp), an item may never be announced, and
some gateways give the same item another id with each event.
"""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Final, Generic, TypeAlias, TypeVar

from tickertape.core.events import (
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)

TextKind: TypeAlias = type[TextDelta | ReasoningDelta | RefusalDelta]

TEXT_KINDS: Final[dict[str, TextKind]] = {
    "output_text": TextDelta,
    "refusal": RefusalDelta,
    "reasoning_text": ReasoningDelta,
    "summary_text": ReasoningDelta,
}
"""The type of a content or summary part → what its text is."""


class Text:
    """One content part, or one tool call's arguments: what was passed on of it."""

    __slots__ = ("_of", "_passed_on", "note")

    def __init__(self, of: TextKind | int) -> None:
        """`of` says what the text is: a kind of delta, or the tool call with this index."""
        self._of = of
        # A buffer, for thousands of small strings would take ten times the memory.
        self._passed_on = StringIO()
        self.note = self._passed_on.write
        """Take down what somebody else passes on."""

    @property
    def passed_on(self) -> str:
        """Return the text so far."""
        return self._passed_on.getvalue()

    def pass_on(self, text: str) -> Event:
        """Return the event that brings more of this text."""
        self.note(text)
        if isinstance(self._of, int):
            return ToolCallDelta(index=self._of, arguments=text)
        return self._of(text)


class Item:
    """One output item, as far as it has arrived."""

    def __init__(self, _position: int) -> None:
        self.id: str | None = None
        self.output_index: int | None = None
        self.is_done = False


class ContentItem(Item):
    """A message, or a stretch of reasoning."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self._parts: dict[tuple[str, int], Text] = {}

    def part(self, kind: str, index: int | None) -> Text:
        """Return a part by its type and its index; without one it is the first."""
        key = (kind, index or 0)
        if key not in self._parts:
            self._parts[key] = Text(TEXT_KINDS[kind])
        return self._parts[key]

    def parts(self, kind: str) -> list[Text]:
        """Return the parts of this type that have begun, in the order in which they did."""
        return [part for (each, _), part in self._parts.items() if each == kind]


class ToolItem(Item):
    """A call of a function, or of a custom tool."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position
        """Which of the answer's tool calls it is."""
        self.call_id = ""
        self.name = ""
        self.arguments = Text(position)


AnyItem = TypeVar("AnyItem", bound=Item)


class Items(Generic[AnyItem]):
    """The items of one kind, in the order in which they began."""

    def __init__(self, make: Callable[[int], AnyItem]) -> None:
        self.all: list[AnyItem] = []
        self._make = make
        self._by_index: dict[int, AnyItem] = {}
        self._by_id: dict[str, AnyItem] = {}

    def find(self, item_id: str | None, output_index: int | None, *, trusts_ids: bool) -> AnyItem:
        """Return the item that an event is about; a new one begins where none fits.

        An event that names no known item is about the latest one, while that is
        not done. `trusts_ids`: an unknown id means another item.
        """
        if output_index is not None:
            item = self._by_index.get(output_index)
            if item is None and item_id is not None:
                known = self._by_id.get(item_id)
                item = known if known is not None and known.output_index is None else None
        else:
            item = self._by_id.get(item_id) if item_id is not None else None
            if item is None and (item_id is None or not trusts_ids):
                item = self._latest_open()
        return item or self.begin(item_id, output_index)

    def begin(self, item_id: str | None, output_index: int | None) -> AnyItem:
        """Return a new item."""
        item = self._make(len(self.all))
        self.all.append(item)
        item.id, item.output_index = item_id, output_index
        if item_id is not None:
            self._by_id[item_id] = item
        if output_index is not None:
            self._by_index[output_index] = item
        return item

    def _latest_open(self) -> AnyItem | None:
        return self.all[-1] if self.all and not self.all[-1].is_done else None
