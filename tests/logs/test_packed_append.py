"""An append as bytes: what is packed comes back, with its time and at its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import events, unknowns
from tickertape.core.errors import ProtocolError
from tickertape.core.events import TextDelta, UnknownEvent
from tickertape.core.record import Record
from tickertape.logs.packed_append import (
    pack_append,
    unpack_append,
    unpack_appends,
    unpack_records,
)

appended = st.lists(events | unknowns, min_size=1, max_size=5)


@given(st.integers(1, 9), st.floats(0, 2e9), appended, st.integers(0, 1000))
def test_an_append_comes_back(epoch, appended_at, events, first_offset):
    """As events with their time, or as records."""
    packed = pack_append(events, epoch=epoch, appended_at=appended_at)
    assert (appended_at, events) == unpack_append(packed)
    expected = [
        Record(first_offset + number, event, epoch, appended_at)
        for number, event in enumerate(events)
    ]
    assert expected == unpack_records(packed, first_offset=first_offset)


@given(st.lists(appended, min_size=1, max_size=5), st.integers(0, 1000))
def test_appends_that_follow_each_other_come_back(appends, first_offset):
    """In one go, the same as one by one."""
    packed = [
        pack_append(events, epoch=number, appended_at=number / 3)
        for number, events in enumerate(appends, 1)
    ]
    expected = []
    for append in packed:
        expected += unpack_records(append, first_offset=first_offset + len(expected))
    assert expected == unpack_appends(packed, first_offset=first_offset)


@pytest.mark.parametrize("json", [b"{", b'"text"', b"{}", b'{"type":"new"}}'])
def test_an_unknown_event_that_is_no_json_is_refused(json):
    """It would make all of what it is kept with unreadable."""
    with pytest.raises(ProtocolError):
        pack_append([TextDelta("a"), UnknownEvent("new", json)], epoch=1, appended_at=0.0)
