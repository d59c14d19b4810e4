"""A stream's entries as records: which of them a reader gets, and when one is missing."""

from __future__ import annotations

import pytest

from tickertape.core.errors import LogUnavailable
from tickertape.core.events import TextDelta
from tickertape.logs.packed_append import pack_append
from tickertape.logs.redis.entries import unpack_message, unpack_stretch


def entry(first_offset, *texts):
    """An append as Redis replies it."""
    packed = pack_append([TextDelta(text) for text in texts], epoch=1, appended_at=0.0)
    return [b"%d-1" % (first_offset + 1), [b"r", packed]]


ENTRIES = [entry(3, "3", "4"), entry(5, "5"), entry(6, "6", "7")]


def offsets(entries, *, after, limit=10, end_offset=8):
    records = unpack_stretch(entries, after=after, limit=limit, end_offset=end_offset)
    return records and [record.offset for record in records]


@pytest.mark.parametrize("after", [2, 3, 5, 6])
@pytest.mark.parametrize("limit", [1, 2, 9])
def test_what_is_between_the_cursor_and_the_limit(after, limit):
    """Of the first and the last append perhaps a part only."""
    expected = list(range(after + 1, min(after + 1 + limit, 8)))
    assert expected == offsets(ENTRIES, after=after, limit=limit)


def test_nothing_is_wanted_at_the_end():
    """So nothing is missing."""
    assert [] == offsets([], after=7)


@pytest.mark.parametrize(
    "entries", [[], ENTRIES[1:], ENTRIES[:2], [ENTRIES[0], ENTRIES[2]], [ENTRIES[2], ENTRIES[2]]]
)
def test_one_that_is_missing_is_noticed(entries):
    """At the beginning, at the end, or between two others."""
    assert offsets(entries, after=2) is None


@pytest.mark.parametrize("packed", [b"", b"{}", b"[1,2]", b'[1,0.0,["x"]]', b"\xff"])
def test_what_is_no_append_is_refused(packed):
    """Alone, between others, or published."""
    for entries in ([[b"4-1", [b"r", packed]]], [ENTRIES[0], [b"6-1", [b"r", packed]]]):
        with pytest.raises(LogUnavailable, match="no append of ours"):
            unpack_stretch(entries, after=2, limit=10, end_offset=8)
    with pytest.raises(LogUnavailable, match="no append of ours"):
        unpack_message(b"5 " + packed)
