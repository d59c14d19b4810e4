"""A stream's entries as records: `<first offset + 1>-<epoch>`, and the packed append.

Says where they have a hole, which Redis itself never leaves. What is no append of
ours is `LogUnavailable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from tickertape.core.errors import LogUnavailable, ProtocolError
from tickertape.core.record import Record
from tickertape.logs.packed_append import unpack_appends, unpack_records

_UNREADABLE: Final = (msgspec.DecodeError, ProtocolError, ValueError)


def unpack_entries(entries: Sequence[Any]) -> Iterator[tuple[list[Record], int]]:
    """Yield each append, as records and with its size in bytes."""
    for identity, fields in entries:
        yield _unpack(fields[1], _first_offset(identity)), len(fields[1])


def unpack_stretch(
    entries: Sequence[Any], *, after: int, limit: int, end_offset: int
) -> list[Record] | None:
    """Return the first `limit` records after the cursor; None where one is missing."""
    first, wanted = after + 1, min(after + 1 + limit, end_offset)
    if first >= wanted:
        return []
    if not entries:
        return None
    begin = _first_offset(entries[0][0])
    try:
        records = unpack_appends([fields[1] for _, fields in entries], first_offset=begin)
    except _UNREADABLE as error:
        raise _foreign(error) from error
    # No two entries overlap. So where one is missing, those after it end too early.
    last, _ = next(unpack_entries(entries[-1:]))
    is_dense = last[-1].offset == records[-1].offset
    if not is_dense or begin > first or begin + len(records) < wanted:
        return None
    return records[first - begin : wanted - begin]


def unpack_message(payload: bytes) -> tuple[list[Record], int]:
    """Return the append that was published, and its size."""
    first_offset, _, packed = payload.partition(b" ")
    return _unpack(packed, first_offset), len(packed)


def _first_offset(identity: bytes) -> int:
    return int(identity.partition(b"-")[0]) - 1


def _unpack(packed: bytes, first_offset: bytes | int) -> list[Record]:
    try:
        return unpack_records(packed, first_offset=int(first_offset))
    except _UNREADABLE as error:
        raise _foreign(error) from error


def _foreign(error: Exception) -> LogUnavailable:
    return LogUnavailable(f"what Redis has is no append of ours: {error}")
