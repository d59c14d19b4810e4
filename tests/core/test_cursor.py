"""A cursor's text, and what one history can have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import by_name, vectors
from tickertape.core.cursor import AT_BEGINNING, Cursor, parse_cursor

offsets = st.integers(0, 10**18 - 1)
epochs = st.integers(1, 10**18 - 1)


@pytest.mark.parametrize("vector", vectors("cursors", "ids"), ids=by_name)
def test_an_id_is_an_offset_and_an_epoch(vector):
    """No number: 61.1 and 61.10 are two records."""
    cursor = Cursor(vector["offset"], vector["epoch"])
    assert cursor == parse_cursor(vector["id"])
    assert vector.get("canonical", vector["id"]) == str(cursor)


@pytest.mark.parametrize("vector", vectors("cursors", "refused"), ids=by_name)
def test_what_is_no_id_is_no_cursor(vector):
    """Rather than a guess."""
    assert parse_cursor(vector["id"]) is None


@given(offsets, epochs)
def test_text_and_cursor_are_the_same(offset, epoch):
    """Whatever the numbers."""
    assert Cursor(offset, epoch) == parse_cursor(str(Cursor(offset, epoch)))


def test_the_beginning_has_a_text_too():
    """For a reader that has nothing and sends it all the same."""
    assert (AT_BEGINNING, "-1") == (parse_cursor("-1"), str(AT_BEGINNING))


@pytest.mark.parametrize("vector", vectors("cursors", "histories"), ids=by_name)
def test_epochs_never_fall_as_offsets_rise(vector):
    """So two records may give away that they are of two histories, in whichever order they come."""
    one, other = (parse_cursor(text) for text in vector["ids"])
    assert vector["shared"] == one.shares_history(other) == other.shares_history(one)
