"""Appends as bytes: what is packed comes back, from wherever it is read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import events
from tickertape.core.record import Record
from tickertape.logs.packed_append import pack_append
from tickertape.logs.sqlite_slices import (
    pack_journal_entry,
    pack_slice,
    unpack_appends,
    unpack_journal,
    unpack_slice,
)

appends = st.lists(
    st.tuples(st.integers(1, 9), st.floats(0, 2e9), st.lists(events, min_size=1, max_size=5)),
    min_size=1,
    max_size=5,
)


def packed(append):
    epoch, appended_at, events = append
    return pack_append(events, epoch=epoch, appended_at=appended_at)


@given(appends, st.integers(0, 1000), st.integers(-5, 30), st.integers(1, 30))
def test_any_stretch_of_a_slice_comes_back(appends, first_offset, skipped, limit):
    """Every event as it was, at its place."""
    stored = [(event, epoch, at) for epoch, at, events in appends for event in events]
    records = [Record(first_offset + n, *rest) for n, rest in enumerate(stored)]
    after = first_offset - 1 + skipped
    expected = [record for record in records if record.offset > after][:limit]
    assert expected == unpack_slice(
        pack_slice([packed(append) for append in appends]),
        first_offset=first_offset,
        after=after,
        limit=limit,
    )


@given(appends)
def test_an_append_comes_back_with_its_time(appends):
    """As part of a slice."""
    expected = [(at, events) for _, at, events in appends]
    assert expected == unpack_appends(pack_slice([packed(append) for append in appends]))


@given(appends)
def test_the_journal_holds_the_same_bytes(appends):
    """With the run's number and the first offset; a slice is made of them as they are."""
    entries = [
        pack_journal_entry(number, first_offset=10 * number, append=packed(append))
        for number, append in enumerate(appends)
    ]
    expected = [(number, 10 * number, packed(append)) for number, append in enumerate(appends)]
    assert expected == unpack_journal(pack_slice(entries))
