"""JSON as providers write it."""

from __future__ import annotations

import pytest

from tickertape.providers.translators.json_text import has_cut_character, read_halves, read_json


@pytest.mark.parametrize("data", ["{", "NaN", "[" * 100_000, r'["\ud83d",NaN]'])
def test_json_that_cannot_be_read_is_a_value_error(data):
    """One kind of error for everything that is wrong with it."""
    with pytest.raises(ValueError, match="."):
        read_json(data)


def test_halves_are_kept_only_where_they_are_asked_for():
    """One way of reading cleans every string, the other one leaves them to the joiner."""
    data = r'{"\ud83d":["\ud83d","\ud83d\ude00"]}'

    assert {"\ufffd": ["\ufffd", "😀"]} == read_json(data)
    assert {"\ud83d": ["\ud83d", "😀"]} == read_halves(data)


@pytest.mark.parametrize(
    ("data", "is_cut"), [(r'"\ud83d"', True), (r'"\uDE00"', True), (r'"\ue000\n"', False)]
)
def test_only_escaped_halves_make_a_second_look_worth_while(data, is_cut):
    """What msgspec refuses for another reason is refused for good."""
    assert is_cut == has_cut_character(data)
