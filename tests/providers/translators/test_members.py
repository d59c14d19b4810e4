"""Members of JSON values that may have any shape."""

from __future__ import annotations

import pytest

from tickertape.providers.translators.members import count, items, member, text


@pytest.mark.parametrize("value", [None, 1, "x", [1], {}])
def test_what_is_not_there_is_nothing(value):
    """No object, or one without the member."""
    assert (None, None, "", []) == (
        member(value, "a"),
        count(value, "a"),
        text(value, "a"),
        items(value, "a"),
    )


@pytest.mark.parametrize("odd", [None, True, -1, 1.5, 2**53, "7", [7], {"a": 7}])
def test_a_count_is_a_whole_number_that_every_language_holds(odd):
    """Anything else is none."""
    assert count({"a": odd}, "a") is None
    assert 2**53 - 1 == count({"a": 2**53 - 1}, "a")


def test_texts_and_lists_are_what_they_are():
    """A member of the right kind is returned as it is."""
    value = {"a": "x", "b": [1]}
    assert ("x", [1], "", []) == (
        text(value, "a"),
        items(value, "b"),
        text(value, "b"),
        items(value, "a"),
    )
