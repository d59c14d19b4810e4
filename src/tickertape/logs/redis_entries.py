"""A stream's entries as records: `<first offset + 1>-<epoch>`, and the packed append.

Says where they have a hole, which Redis itself never leaves. What is no append of
ours is `LogUnavailable`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tickertape.core.errors import LogUnavailable, ProtocolError
from tickertape.core.record import Record
from tickertape.logs.packed_append import unpack_records


def unpack_entries(entries: Sequence[Any]) -> Iterator[tuple[list[Record], int]]:
    """Yield each append, as records and with its size in bytes."""
    for identity, fields in entries:
        first_offset = int(identity.partition(b"-")[0]) - 1
        yield _unpack(fields[1], first_offset), len(fields[1])


def unpack_stretch(
    entries: Sequence[Any], *, after: int, limit: int, end_offset: int
) -> list[Record] | None:
    """Return the first `limit` records after the cursor; None where one is missing."""
    records: list[Record] = []
    wanted = min(after + 1 + limit, end_offset)
    offset = after + 1
    for appended, _ in unpack_entries(entries):
        for record in appended:
            if record.offset < offset or record.offset >= wanted:
                continue
            if record.offset > offset:
                return None
            records.append(record)
            offset += 1
    return records if offset == wanted else None


def unpack_message(payload: bytes) -> tuple[list[Record], int]:
    """Return the append that was published, and its size."""
    first_offset, _, packed = payload.partition(b" ")
    return _unpack(packed, first_offset), len(packed)


def _unpack(packed: bytes, first_offset: bytes | int) -> list[Record]:
    try:
        return unpack_records(packed, first_offset=int(first_offset))
    except (msgspec.DecodeError, ProtocolError, ValueError) as error:
        raise LogUnavailable(f"what Redis has is no append of ours: {error}") from error
