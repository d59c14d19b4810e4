"""Which item an event is about, and what of it was passed on."""

from __future__ import annotations

from tickertape.core.events import ReasoningDelta, TextDelta, ToolCallDelta
from tickertape.providers.translators.response_items import ContentItem, Items, Text, ToolItem


def found(items, item_id=None, output_index=None, *, trusts_ids=False):
    return items.find(item_id, output_index, trusts_ids=trusts_ids)


def test_an_index_names_an_item_whatever_its_id():
    """Gateways may change the id with each event."""
    items = Items(ContentItem)
    first = found(items, "a", 0)
    assert first is found(items, "b", 0) is found(items, None, 0)
    assert first is not found(items, "a", 1)


def test_an_id_names_an_item_without_an_index():
    """An item that was begun with an index is known by its id, too, and the other way."""
    items = Items(ContentItem)
    with_index, without = found(items, "a", 0), found(items, "b", trusts_ids=True)
    assert with_index is found(items, "a")
    assert without is found(items, "b", 7)


def test_what_names_no_known_item_is_about_the_latest_one_while_that_is_open():
    """Unknown ids count only where they are trusted."""
    items = Items(ContentItem)
    first = found(items)
    assert first is found(items) is found(items, "unknown")
    second = found(items, "x", trusts_ids=True)
    assert second is not first
    second.is_done = True
    assert found(items) not in {first, second}


def test_tools_are_counted_in_the_order_in_which_they_begin():
    """The position is that among the calls."""
    items = Items(ToolItem)
    assert [0, 1] == [items.begin("a", 5).position, items.begin("b", 3).position]


def test_parts_are_known_by_type_and_index():
    """Without an index it is the first; they are listed as they began."""
    item = ContentItem(0)
    second, first = item.part("output_text", 1), item.part("output_text", None)
    assert first is item.part("output_text", 0)
    assert [second, first] == item.parts("output_text")
    assert [] == item.parts("refusal")


def test_a_text_keeps_what_was_passed_on():
    """By itself, or by somebody else who notes it."""
    text = Text(TextDelta)
    assert TextDelta("a") == text.pass_on("a")
    text.note("b")
    assert "ab" == text.passed_on
    assert ReasoningDelta("x") == Text(ReasoningDelta).pass_on("x")
    assert ToolCallDelta(index=3, arguments="x") == Text(3).pass_on("x")
