"""One event of a Responses stream: JSON → typed struct.

Knows which fields matter; what they mean is `response_answer`'s business. An
event of a type that is not known here may have any shape.

Source: OpenAI API reference, "Responses streaming events".
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from tickertape.providers.translators.json_text import UNREADABLE, read_halves
from tickertape.providers.translators.surrogates import replace_surrogates, without_surrogates

_Index: TypeAlias = Annotated[int, Meta(ge=0, lt=2**16)]
_Number: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]

MAX_NUMBER: Final = 2**53
"""Sequence numbers are below this."""

TEXT_DELTA: Final = "response.output_text.delta"

# A wrong shape of any of these would lose a piece of the answer.
_TEXTS_OF: Final = {
    TEXT_DELTA: "delta",
    "response.output_text.done": "text",
    "response.refusal.delta": "delta",
    "response.refusal.done": "refusal",
    "response.reasoning_text.delta": "delta",
    "response.reasoning_text.done": "text",
    "response.reasoning_summary_text.delta": "delta",
    "response.reasoning_summary_text.done": "text",
    "response.function_call_arguments.delta": "delta",
    "response.function_call_arguments.done": "arguments",
    "response.custom_tool_call_input.delta": "delta",
    "response.custom_tool_call_input.done": "input",
}


class EventHead(Struct, gc=False):
    """As much of an event as one that brings text needs: nearly all do.

    The numbers have no bounds here: they are only compared with those that have.
    """

    type: str = ""
    sequence_number: int | None = None
    item_id: object = None
    """Not used; but msgspec is a fifth faster where fields come in the order it knows."""
    output_index: int | None = None
    content_index: int | None = None
    delta: str | None = None


class ResponseEvent(Struct, gc=False):
    """Any event, as far as it matters here."""

    type: str = ""
    sequence_number: _Number | None = None
    item_id: str | None = None
    output_index: _Index | None = None
    content_index: _Index | None = None
    summary_index: _Index | None = None
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    name: str | None = None
    part: object = None
    item: object = None
    response: object = None
    error: object = None


decode_head: Final = msgspec.json.Decoder(EventHead).decode
"""Return the head of the event in one server-sent event's data; raises `UNREADABLE`."""

decode_event: Final = msgspec.json.Decoder(ResponseEvent).decode
"""Return the whole event; raises `UNREADABLE`."""

# What a character may be cut in.
_TEXTS: Final = frozenset({"delta", "text", "refusal", "arguments", "input"})
_NUMBERS: Final = {
    "sequence_number": 2**53,
    "output_index": 2**16,
    "content_index": 2**16,
    "summary_index": 2**16,
}
_NAMES: Final = frozenset({"type", "item_id", "name"})


def decode_odd_event(data: str) -> ResponseEvent:
    """Return an event that `decode_event` could not read: an odd field costs no text.

    Its texts may hold lone surrogates. What has another shape than it should have
    is left out.

    Raises:
        ValueError: not a JSON object, or the text that it is about is no text.
    """
    try:
        body = read_halves(data)
        if not isinstance(body, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004  # the value is at fault
        fields = {name: _usable(name, body.get(name)) for name in ResponseEvent.__struct_fields__}
    except UNREADABLE as error:
        raise ValueError(str(error)) from error
    usable = {name: value for name, value in fields.items() if value is not None}
    event = ResponseEvent(**usable)  # type: ignore[arg-type]
    lost = _TEXTS_OF.get(event.type)
    if lost is not None and body.get(lost) is not None and lost not in usable:
        raise ValueError(f"{lost} is no text")
    return event


def _usable(name: str, value: object) -> object:
    """Return the value if it is what the field may hold, else None."""
    if name in _TEXTS:
        return value if isinstance(value, str) else None
    if name in _NUMBERS:
        return value if type(value) is int and 0 <= value < _NUMBERS[name] else None
    if name in _NAMES:
        return replace_surrogates(value) if isinstance(value, str) else None
    return without_surrogates(value)
