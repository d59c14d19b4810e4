"""An append as bytes, and back: the form in which a log keeps it, and sends it.

`[epoch, appended at, [event, …]]` as JSON, with the events as `codec` writes them.
The first offset is not in it: it stands where the bytes are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from tickertape.core.codec import decode_event, encode_events
from tickertape.core.events import Event
from tickertape.core.record import Record

_decoder: Final = msgspec.json.Decoder(tuple[int, float, list[msgspec.Raw]])


def pack_append(events: Sequence[Event], *, epoch: int, appended_at: float) -> bytes:
    """Return one append as JSON.

    Raises:
        ProtocolError: a text has a lone surrogate, or an unknown event is not JSON.
    """
    return b"[%d,%a,%b]" % (epoch, float(appended_at), encode_events(events))


def unpack_append(packed: bytes) -> tuple[float, list[Event]]:
    """Return when the append was made, and its events."""
    _, appended_at, events = _decoder.decode(packed)
    return appended_at, [decode_event(event) for event in events]


def unpack_records(packed: bytes, *, first_offset: int) -> list[Record]:
    """Return the append's records, the first of them at that offset."""
    epoch, appended_at, events = _decoder.decode(packed)
    return [
        Record(offset, decode_event(event), epoch, appended_at)
        for offset, event in enumerate(events, first_offset)
    ]
