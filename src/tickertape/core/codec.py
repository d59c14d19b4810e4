"""An event as JSON, and back: the form in which logs keep it.

The struct definitions in `events` are the stored names; the vectors in
`conformance/events/` pin them, so that a rename there breaks a test and not
somebody's stored runs. An unknown event decodes to `UnknownEvent`.
"""

from __future__ import annotations

from typing import Final, Union

import msgspec

from tickertape.core.errors import ProtocolError
from tickertape.core.events import (
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
_decoder: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Union[_KNOWN])


class _Kind(msgspec.Struct):
    type: str


_kind_decoder: Final = msgspec.json.Decoder(_Kind)
_kinds: Final = frozenset(known.__struct_config__.tag for known in _KNOWN)


def encode_event(event: Event) -> bytes:
    """Return the event as one JSON object, on one line."""
    if type(event) is UnknownEvent:
        return event.json
    return _encoder.encode(event)


def decode_event(data: bytes) -> Event:
    """Return the event that `encode_event` made into `data`.

    Raises:
        ProtocolError: not a JSON object with a `type`, or a known type whose
            fields are wrong.
    """
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as error:
        try:
            kind = _kind_decoder.decode(data).type
        except msgspec.DecodeError:
            kind = None
        if kind is None or kind in _kinds:
            raise ProtocolError(f"not a stored event: {error}") from error
        return UnknownEvent(kind, bytes(data))
