"""An append as bytes, and back: the form in which a log keeps it, and sends it.

`[epoch, appended at, [event, …]]` as JSON, with the events as `codec` writes them.
The first offset is not in it: it stands where the bytes are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from tickertape.core.codec import KNOWN_EVENT, decode_event, encode_events
from tickertape.core.events import Event
from tickertape.core.record import Record

PackedAppend: TypeAlias = tuple[int, float, list[Event]]

_APPEND: Final[Any] = tuple[int, float, list[KNOWN_EVENT]]
_decoder: Final[msgspec.json.Decoder[PackedAppend]] = msgspec.json.Decoder(_APPEND)
_appends_decoder: Final[msgspec.json.Decoder[list[PackedAppend]]] = msgspec.json.Decoder(
    list[_APPEND]
)
_raw_decoder: Final = msgspec.json.Decoder(tuple[int, float, list[msgspec.Raw]])
_NOT_KNOWN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Some event is none that we know, or none at all."""


def pack_append(events: Sequence[Event], *, epoch: int, appended_at: float) -> bytes:
    """Return one append as JSON.

    Raises:
        ProtocolError: a text has a lone surrogate, or an unknown event is not JSON.
    """
    return b"[%d,%a,%b]" % (epoch, float(appended_at), encode_events(events))


def unpack_append(packed: bytes) -> tuple[float, list[Event]]:
    """Return when the append was made, and its events."""
    _, appended_at, events = _unpack(packed)
    return appended_at, events


def unpack_records(packed: bytes, *, first_offset: int) -> list[Record]:
    """Return the append's records, the first of them at that offset."""
    return _records([_unpack(packed)], first_offset)


def unpack_appends(packed: Sequence[bytes], *, first_offset: int) -> list[Record]:
    """Return the same of appends that follow each other, in much less time."""
    try:
        appends = _appends_decoder.decode(b"[%b]" % b",".join(packed))
    except _NOT_KNOWN:
        appends = list(map(_unpack, packed))
    return _records(appends, first_offset)


def _records(appends: Sequence[PackedAppend], first_offset: int) -> list[Record]:
    records: list[Record] = []
    for epoch, appended_at, events in appends:
        for event in events:
            records.append(Record(first_offset, event, epoch, appended_at))
            first_offset += 1
    return records


def _unpack(packed: bytes) -> PackedAppend:
    try:
        # In one go: event by event it would take three times as long.
        return _decoder.decode(packed)
    except _NOT_KNOWN:
        epoch, appended_at, events = _raw_decoder.decode(packed)
        return epoch, appended_at, [decode_event(event) for event in events]
