"""Chunks read by comparison say what they would say if they were read in full."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tickertape.core.coalesce import coalesce
from tickertape.providers.translators import chat_completions
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.mould import MAX_MISSES, make_mould


def chunk(text, **choice):
    fields = {"index": 0, "delta": {"content": text}, "finish_reason": None, **choice}
    return json.dumps({"id": "c", "choices": [fields]}, separators=(",", ":"))


@pytest.mark.parametrize("text", ["b", 'say "hi"\\\n', "é€😀", " ", "\0", '","role":"x'])
def test_a_chunk_of_the_same_mould_gives_its_text(text):
    """Whatever the text, and however it is escaped."""
    mould = make_mould(chunk("a"), 0)
    assert text == mould.text_of(chunk(text))
    raw = json.dumps(text, ensure_ascii=False)
    assert text == mould.text_of(chunk("a").replace('"a"', raw))


@pytest.mark.parametrize(
    "other",
    [
        chunk("b", index=1),
        chunk("b", finish_reason="stop"),
        chunk("b").replace('"c"', '"d"'),
        chunk("b").replace('"b"', '"b","role":"x"'),
        chunk("b").replace('"b"', "null"),
        chunk("b").replace('"b"', '"b'),
        chunk("b").replace('"b"', ""),
        chunk("b").replace('"b"', '"\\ud83d"'),
        chunk("b")[:20],
        "[DONE]",
        "",
    ],
    ids=lambda value: value[-30:],
)
def test_another_chunk_is_left_to_be_read_in_full(other):
    """A difference anywhere but in the text counts."""
    assert "" == make_mould(chunk("a"), 0).text_of(other)


@pytest.mark.parametrize(
    "data",
    [
        '{"choices":[{"delta":{"content": "a"}}]}',
        '{"note":{"content":"x"},"choices":[{"delta":{"content": "a"}}]}',
        '{"choices":[{"logprobs":{"content":"x"},"delta":{"content":"a"}}]}',
        '{"choices":[{"delta":{"content":"a","content":"b"}}]}',
        "{}",
    ],
)
def test_where_the_text_has_no_certain_place_there_is_no_mould(data):
    """Another text is put there, and must come out where the text is."""
    assert make_mould(data, 0) is None


class TestTranslator:
    """With and without moulds, a stream gives the same events."""

    pieces = st.sampled_from(
        [
            chunk("a"),
            chunk("b"),
            chunk("c"),
            chunk("é\U0001f600"),
            chunk(""),
            chunk("x", index=1),
            chunk("y", content_filter_results={"hate": {"filtered": False}}),
            chunk("z", content_filter_results={"hate": {"filtered": True}}),
            chunk("r", delta={"content": "r", "refusal": "no"}),
            chunk("s", finish_reason="stop"),
            '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
            '{"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":null}]}',
            '{"choices":[{"index":0,"delta":{"content":"\\ude00"},"finish_reason":null}]}',
            '{"choices":[{"index":0,"content_filter_offsets":{"check_offset":1}}]}',
            "[DONE]",
            "nonsense",
        ]
    )

    safe = chunk("y", content_filter_results={"hate": {"filtered": False}})
    filtered = chunk("z", content_filter_results={"hate": {"filtered": True}})

    @given(st.lists(pieces, max_size=30))
    @example([safe, safe, filtered, safe])
    def test_the_short_way_and_the_long_way_meet(self, pieces):
        """Any order of plain chunks and odd ones."""
        stream = "".join(f"data: {piece}\n\n" for piece in pieces).encode()
        assert self.translate(stream, moulds=False) == self.translate(stream, moulds=True)

    def translate(self, stream, *, moulds):
        with pytest.MonkeyPatch.context() as patch:
            if not moulds:
                patch.setattr(chat_completions, "make_mould", lambda data, index: None)
            translator = ChatCompletionsTranslator()
            events = translator.feed(stream) + translator.close()
            return list(coalesce(events)), translator.end

    def test_a_stream_that_never_repeats_a_chunk_stops_making_moulds(self, monkeypatch):
        """Random padding in each chunk must not cost more than reading it."""
        made = []
        monkeypatch.setattr(chat_completions, "make_mould", lambda data, index: made.append(data))
        translator = ChatCompletionsTranslator()
        for number in range(100):
            data = chunk("a").replace('"c"', f'"{number}"')
            translator.feed(f"data: {data}\n\n".encode())
        assert MAX_MISSES == len(made)
