"""A run's appends as bytes, and back: how the journal holds one, and a slice many.

An append is packed once (`packed_append`); the journal and the slices hold the same
bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from tickertape.core.codec import decode_event
from tickertape.core.events import Event
from tickertape.core.record import Record

_slice_decoder: Final = msgspec.json.Decoder(list[tuple[int, float, list[msgspec.Raw]]])
_journal_decoder: Final = msgspec.json.Decoder(list[tuple[int, int, msgspec.Raw]])


def pack_slice(appends: Sequence[bytes]) -> bytes:
    """Return the appends of one run as a slice."""
    return b"[%b]" % b",".join(appends)


def pack_journal_entry(number: int, *, first_offset: int, append: bytes) -> bytes:
    """Return an append as the journal holds it: with its run's number, and its place there."""
    return b"[%d,%d,%b]" % (number, first_offset, append)


def unpack_slice(packed: bytes, *, first_offset: int, after: int, limit: int) -> list[Record]:
    """Return the slice's first `limit` records after `after`."""
    records: list[Record] = []
    offset = first_offset
    for epoch, appended_at, events in _slice_decoder.decode(packed):
        skipped = min(max(after + 1 - offset, 0), len(events))
        offset += skipped
        for event in events[skipped : skipped + limit - len(records)]:
            records.append(Record(offset, decode_event(event), epoch, appended_at))
            offset += 1
        if len(records) == limit:
            break
    return records


def unpack_journal(packed: bytes) -> list[tuple[int, int, bytes]]:
    """Return run number, first offset and packed append of everything in a row of the journal."""
    return [(number, offset, bytes(raw)) for number, offset, raw in _journal_decoder.decode(packed)]


def unpack_appends(packed: bytes) -> list[tuple[float, list[Event]]]:
    """Return the same of every append in a slice."""
    return [
        (appended_at, [decode_event(event) for event in events])
        for _, appended_at, events in _slice_decoder.decode(packed)
    ]
