"""One event's JSON → struct."""

from __future__ import annotations

import pytest

from tickertape.providers.translators.json_text import UNREADABLE
from tickertape.providers.translators.response_event import (
    EventHead,
    ResponseEvent,
    decode_event,
    decode_head,
    decode_odd_event,
)


def test_what_was_not_sent_is_nothing():
    """An empty object is an event of no type."""
    assert EventHead() == decode_head("{}")
    assert ResponseEvent() == decode_event("{}") == decode_odd_event("{}")


@pytest.mark.parametrize("data", ["", "null", "[]", "{", "7"])
def test_what_is_no_object_is_unreadable(data):
    """By every way of reading it."""
    for decode in (decode_head, decode_event):
        with pytest.raises(UNREADABLE):
            decode(data)
    with pytest.raises(ValueError, match="."):
        decode_odd_event(data)


def test_odd_fields_cost_nothing():
    """What has another shape is left out; the rest stays."""
    event = decode_odd_event(
        '{"type":"x","sequence_number":"1","item_id":2,"output_index":-1,"content_index":65536,'
        '"summary_index":true,"delta":"a","text":7,"name":[],"part":"p"}'
    )
    assert ResponseEvent(type="x", delta="a", part="p") == event


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("output_text.delta", "delta"),
        ("output_text.done", "text"),
        ("refusal.delta", "delta"),
        ("refusal.done", "refusal"),
        ("reasoning_text.delta", "delta"),
        ("reasoning_text.done", "text"),
        ("reasoning_summary_text.delta", "delta"),
        ("reasoning_summary_text.done", "text"),
        ("function_call_arguments.delta", "delta"),
        ("function_call_arguments.done", "arguments"),
        ("custom_tool_call_input.delta", "delta"),
        ("custom_tool_call_input.done", "input"),
    ],
)
def test_a_text_that_is_none_is_an_error(kind, field):
    """A piece of the answer is never dropped in silence; a null is nothing, though."""
    with pytest.raises(ValueError, match=field):
        decode_odd_event(f'{{"type":"response.{kind}","{field}":["a"]}}')
    assert (
        f"response.{kind}" == decode_odd_event(f'{{"type":"response.{kind}","{field}":null}}').type
    )


def test_a_cut_character_stays_in_the_texts_and_nowhere_else():
    """Texts keep their halves for the joiner; names and reports are cleaned."""
    event = decode_odd_event(
        r'{"type":"\ud83d","delta":"\ud83d","name":"\ud83d","item":["\ud83d"]}'
    )
    assert ("\ufffd", "\ud83d", "\ufffd", ["\ufffd"]) == (
        event.type,
        event.delta,
        event.name,
        event.item,
    )
