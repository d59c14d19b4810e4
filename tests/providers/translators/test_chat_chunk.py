"""One chunk's JSON → struct."""

import pytest

from tickertape.providers.translators.chat_chunk import ChatChunk, decode_chunk, decode_cut_chunk
from tickertape.providers.translators.choice_chunk import NO_RAW
from tickertape.providers.translators.json_text import UNREADABLE, read_json


def test_what_was_not_sent_is_none():
    """An empty object is a chunk with nothing in it; an empty choice is choice 0."""
    chunk = decode_chunk('{"choices":[{}]}')

    assert ChatChunk() == decode_chunk("{}")
    assert chunk.choices is not None
    assert 0 == chunk.choices[0].index
    assert NO_RAW is chunk.choices[0].content_filter_results


@pytest.mark.parametrize("data", ["", "null", "[]", "{", '{"choices":[{"delta":{"content":1}}]}'])
def test_what_is_no_chunk_is_unreadable(data):
    """Not JSON, no object, or text that is no text."""
    with pytest.raises(UNREADABLE):
        decode_chunk(data)
    with pytest.raises(ValueError, match="."):
        decode_cut_chunk(data)


def test_a_cut_character_stays_in_the_delta_and_nowhere_else():
    """Deltas keep their halves for the joiner; reports are cleaned."""
    chunk = decode_cut_chunk(
        r'{"error":"\ud83d","choices":[{"delta":{"content":"\ud83d"},'
        r'"finish_reason":"\ud83d","content_filter_results":{"a":"\ud83d"}}]}'
    )

    assert "\ufffd" == chunk.error
    assert chunk.choices is not None
    choice = chunk.choices[0]
    assert choice.delta is not None
    assert "\ud83d" == choice.delta.content
    assert "\ufffd" == choice.finish_reason
    assert {"a": "\ufffd"} == read_json(bytes(choice.content_filter_results))
