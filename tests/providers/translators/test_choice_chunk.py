"""What chunks of both kinds have in common."""

from __future__ import annotations

import pytest

from tickertape.providers.translators.chat_chunk import ChatChunk
from tickertape.providers.translators.choice_chunk import NO_RAW, StreamChoice, convert_cut_chunk
from tickertape.providers.translators.completion_chunk import CompletionChunk


def test_a_choice_without_anything_is_choice_0():
    """What was not sent is the default."""
    assert (0, None, NO_RAW) == (
        StreamChoice().index,
        StreamChoice().finish_reason,
        StreamChoice().content_filter_results,
    )


def test_only_the_named_field_keeps_its_halves():
    """Where the text of one API is, the other has nothing to keep."""
    data = r'{"choices":[{"text":"\ud83d","delta":{"content":"\ud83d"}}]}'

    chat = convert_cut_chunk(data, ChatChunk, keeps="delta")
    completion = convert_cut_chunk(data, CompletionChunk, keeps="text")

    neither = convert_cut_chunk(data, CompletionChunk, keeps="x")

    assert ["\ud83d"] == [choice.delta.content for choice in chat.choices or ()]
    assert ["\ud83d"] == [choice.text for choice in completion.choices or ()]
    assert ["\ufffd"] == [choice.text for choice in neither.choices or ()]


@pytest.mark.parametrize("data", ["{", '{"x":1}', r'["\ud83d"]', r'{"choices":"\ud83d"}'])
def test_what_is_no_chunk_with_a_cut_character_is_a_value_error(data):
    """Not JSON, nothing cut in it, or another shape."""
    with pytest.raises(ValueError, match="."):
        convert_cut_chunk(data, ChatChunk, keeps="delta")
