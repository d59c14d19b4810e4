"""One chunk's JSON → struct."""

from __future__ import annotations

import pytest

from tickertape.providers.translators.completion_chunk import (
    CompletionChunk,
    decode_chunk,
    decode_cut_chunk,
)
from tickertape.providers.translators.json_text import UNREADABLE


def test_what_was_not_sent_is_none():
    """An empty object is a chunk with nothing in it."""
    assert CompletionChunk() == decode_chunk("{}")
    chunk = decode_chunk('{"choices":[{}]}')
    assert chunk.choices is not None
    assert chunk.choices[0].text is None


@pytest.mark.parametrize("data", ["", "null", "[]", "{", '{"choices":[{"text":1}]}'])
def test_what_is_no_chunk_is_unreadable(data):
    """Not JSON, no object, or text that is no text."""
    with pytest.raises(UNREADABLE):
        decode_chunk(data)
    with pytest.raises(ValueError, match="."):
        decode_cut_chunk(data)


def test_a_cut_character_stays_in_the_text():
    """The text keeps its half for the joiner."""
    chunk = decode_cut_chunk(r'{"choices":[{"text":"\ud83d","finish_reason":"\ud83d"}]}')
    assert chunk.choices is not None
    assert ("\ud83d", "\ufffd") == (chunk.choices[0].text, chunk.choices[0].finish_reason)
