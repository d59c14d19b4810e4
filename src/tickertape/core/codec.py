"""An event as JSON, and back: the form in which logs keep it.

The struct definitions in `events` are the stored names; the vectors in
`conformance/events/` pin them, so that a rename there breaks a test and not
somebody's stored runs. An unknown event decodes to `UnknownEvent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Union

import msgspec

from tickertape.core.errors import ProtocolError
from tickertape.core.events import (
    AnswerStored,
    AttemptEnded,
    ChoiceFinished,
    Event,
    FilterReported,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    UnknownEvent,
    UsageReported,
)

_KNOWN: Final = (
    RunStarted,
    AttemptEnded,
    AnswerStored,
    TextDelta,
    ReasoningDelta,
    RefusalDelta,
    ToolCallDelta,
    FilterReported,
    UsageReported,
    ChoiceFinished,
    RunEnded,
)
_encoder: Final = msgspec.json.Encoder()
KNOWN_EVENT: Final[Any] = Union[_KNOWN]
"""A type, for whoever decodes many at once; what is none of these is for `decode_event`."""

_decoder: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(KNOWN_EVENT)
# msgspec lets two of Python's errors through: for invalid UTF-8, and for nesting too deep.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Kind(msgspec.Struct):
    type: str


_kind_decoder: Final = msgspec.json.Decoder(_Kind)
_kinds: Final = frozenset(known.__struct_config__.tag for known in _KNOWN)


def encode_event(event: Event) -> bytes:
    """Return the event as one JSON object, on one line.

    Raises:
        ProtocolError: a text has a lone surrogate, which no UTF-8 can carry.
    """
    if type(event) is UnknownEvent:
        return event.json
    try:
        return _encoder.encode(event)
    except UnicodeEncodeError as error:
        raise ProtocolError(
            f"{type(event).__name__} has a lone surrogate; replace it with U+FFFD"
        ) from error


def encode_events(events: Sequence[Event]) -> bytes:
    """Return the events as one JSON array, on one line: in one go, where that can be done.

    Raises:
        ProtocolError: a text has a lone surrogate, or an unknown event is not JSON.
    """
    for event in events:
        if type(event) is UnknownEvent:
            break
    else:
        try:
            return _encoder.encode(events if type(events) is list else list(events))
        except UnicodeEncodeError:
            pass  # said below, of the one that has it
    for event in events:
        if type(event) is UnknownEvent:
            decode_event(event.json)
    return b"[%b]" % b",".join(map(encode_event, events))


def decode_event(data: bytes) -> Event:
    """Return the event that `encode_event` made into `data`.

    Raises:
        ProtocolError: not a JSON object with a `type`, or a known type whose
            fields are wrong.
    """
    try:
        return _decoder.decode(data)
    except _UNREADABLE as error:
        kind = _decode_kind(data)
        if kind in _kinds:
            raise ProtocolError(f"not a stored event: {error}") from error
    # Outside of strings a line end is as good as a space, and in them there is none.
    return UnknownEvent(kind, b" ".join(bytes(data).splitlines()))


def _decode_kind(data: bytes) -> str:
    try:
        kind = _kind_decoder.decode(data).type
        bytes(data).decode()  # msgspec does not look into what it skips
    except _UNREADABLE as error:
        raise ProtocolError(f"not a stored event: {error}") from error
    return kind
