"""The chat completions translator: bytes in any split → events and an end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.streams import (
    DONE,
    body_of,
    byte_by_byte,
    check,
    ending,
    in_two_at_every_place,
    mutated_streams,
    random_chunks,
    stored,
    translate,
    vectors_of,
    whole,
)
from tickertape.core.events import ReasoningDelta, RefusalDelta, TextDelta
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.choice_stream import EndPolicy

VECTORS = vectors_of("chat_completions")


def translator_for(vector: dict[str, Any]) -> ChatCompletionsTranslator:
    settings_of = {
        name: vector[name] for name in ("expected_choices", "max_event_bytes") if name in vector
    }
    return ChatCompletionsTranslator(end_policy=EndPolicy(vector["end_policy"]), **settings_of)


@pytest.mark.parametrize("split", [whole, byte_by_byte, in_two_at_every_place])
@pytest.mark.parametrize("name", VECTORS)
def test_any_split_gives_the_events_and_the_end_of_the_vector(name, split):
    """However the bytes arrive, events and end are those of the vector."""
    vector = VECTORS[name]
    for chunks in split(body_of(vector)):
        events, end = translate(translator_for(vector), chunks)

        assert vector["events"] == stored(events)
        assert vector["end"] == ending(end)


def chunk(delta: object = None, **choice: object) -> bytes:
    return sse({"choices": [{"index": 0, "delta": delta, **choice}]})


def sse(body: object) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def test_a_read_gives_its_events_at_once():
    """Nothing waits for the next read: each token is an event as soon as it is whole."""
    translator = ChatCompletionsTranslator()

    assert [TextDelta("a")] == translator.feed(chunk({"content": "a"}))
    assert [TextDelta("b"), TextDelta("c")] == translator.feed(
        chunk({"content": "b"}) + chunk({"content": "c"})
    )
    assert [] == translator.feed(chunk({"content": "d"})[:-1])
    assert [TextDelta("d")] == translator.feed(b"\n")


def test_events_before_an_error_in_the_same_read_are_returned():
    """A read that brings text and then an error brings the text."""
    translator = ChatCompletionsTranslator()

    events = translator.feed(chunk({"content": "a"}) + sse({"error": {"message": "x"}}))

    assert [TextDelta("a")] == events
    assert translator.end is not None


def test_p2_the_end_stays_as_it_was_set():
    """After the end nothing counts: neither bytes, nor a second close."""
    translator = ChatCompletionsTranslator()
    translator.feed(chunk({"content": "a"}, finish_reason="stop") + DONE)
    end = translator.end

    assert [] == translator.feed(chunk({"content": "b"}))
    assert [] == translator.close()
    assert [] == translator.close()
    assert end is translator.end
    assert StreamEnd() == end


@pytest.mark.parametrize(
    "error",
    [
        {"message": "key sk-SECRET is wrong", "code": "sk-SECRET", "type": "sk-SECRET"},
        "sk-SECRET",
        {"nested": [{"sk-SECRET": 1}]},
    ],
)
@pytest.mark.parametrize("frame", [b"data: %s\n\n", b"event: error\ndata: %s\n\n"])
def test_p10_a_providers_words_are_for_operators_only(error, frame):
    """What the provider says about its failure is in the detail, never in the message."""
    translator = ChatCompletionsTranslator()

    translator.feed(frame % json.dumps({"error": error}).encode())

    assert translator.end is not None
    assert translator.end.error is not None
    assert "sk-SECRET" in translator.end.detail
    assert "sk-SECRET" not in str(translator.end.error)


@pytest.mark.parametrize(
    "bad",
    [sse({"error": {"message": "x" * 10_000}}), b"data: %s\n\n" % (b"x" * 10_000)],
    ids=["error", "malformed"],
)
def test_the_detail_is_bounded(bad):
    """However much the provider says, the detail is 2,000 characters at most."""
    translator = ChatCompletionsTranslator()

    translator.feed(bad)

    assert translator.end is not None
    assert 2_000 == len(translator.end.detail)


def test_the_detail_of_a_truncated_stream_says_what_was_missing():
    """Operators see how many choices had finished, and what came in place of an end."""
    translator = ChatCompletionsTranslator(expected_choices=2)
    translator.feed(chunk({"content": "a"}, finish_reason="stop") + DONE)

    assert translator.end is not None
    assert "[DONE] when 1 of 2 choices had finished" == translator.end.detail


def test_a_report_that_repeats_in_another_read_is_not_repeated():
    """Annotations are compared with the last ones, not with those of the same read."""
    results = {"hate": {"filtered": False}}
    translator = ChatCompletionsTranslator()
    first = translator.feed(chunk({"content": "a"}, content_filter_results=results))

    assert 2 == len(first)
    assert [TextDelta("b")] == translator.feed(
        chunk({"content": "b"}, content_filter_results=results)
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":%s}',
        b'{"error":%s}',
        b'{"choices":[{"delta":{"content":"a"},"content_filter_results":{"x":%s}}]}',
        b'{"choices":[{"delta":{"content":"\\ud83d"},"error":%s}]}',
        b'{"choices":[],"usage":%s,"prompt_filter_results":[{"content_filter_results":{"x":%s}}]}',
        b'{"type":%s}',
    ],
)
@pytest.mark.parametrize("frame", [b"data: %s\n\n", b"event: error\ndata: %s\n\n"])
def test_deep_nesting_raises_nothing(body, frame):
    """JSON nested beyond any reason is read or refused, never an exception."""
    # Every depth around the interpreter's limit: what reads at the edge of it must not
    # fail one call deeper.
    for depth in (100, *range(800, 1_000), 2_000, 100_000):
        nested = b"[" * depth + b"]" * depth

        translate(ChatCompletionsTranslator(), [frame % body.replace(b"%s", nested)])


@pytest.mark.parametrize("number", ["9" * 25, "9" * 5_000, "1e999", "-1e999", "NaN", "Infinity"])
@pytest.mark.parametrize(
    "body",
    [
        '{"choices":[{"index":%s,"delta":{"content":"\\ud83d"}}]}',
        '{"choices":[{"index":%s}],"x":"\\ud83d"}',
        '{"choices":[{"index":0,"content_filter_results":{"x":%s}}],"x":"\\ud83d"}',
        '{"choices":[{"index":0,"content_filter_results":{"x":%s}}]}',
        '{"choices":[],"usage":{"prompt_tokens":%s}}',
        '{"choices":[],"usage":{"prompt_tokens":%s},"x":"\\ud83d"}',
        '{"error":{"code":%s}}',
        '{"error":{"code":%s},"x":"\\ud83d"}',
        '{"type":%s}',
    ],
)
def test_numbers_beyond_reason_raise_nothing(number, body):
    """Numbers that JSON or Python can't hold are refused or kept, and can be stored."""
    data = f"data: {body % number}\n\n".encode()

    events, _ = translate(ChatCompletionsTranslator(), [data])

    stored(events)


def test_a_number_that_nobody_reads_costs_no_text():
    """Thousands of digits in an unknown field are skipped, beside half a character too."""
    data = b'data: {"choices":[{"delta":{"content":"%s"}}],"x":' + b"9" * 5_000 + b"}\n\n"

    for content, text in ((b"a", "a"), (b"a\\ud83d", "a\ufffd")):
        events, _ = translate(ChatCompletionsTranslator(), [data.replace(b"%s", content)])
        assert [TextDelta(text)] == events


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_text_survives_any_escaping_in_any_pieces(data):
    """Text that is sent as UTF-16 escapes, cut anywhere, arrives as the same text."""
    text = data.draw(st.text(min_size=1))
    units = text.encode("utf-16-be")
    escaped = [f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(escaped)))))
    pieces = ["".join(escaped[a:b]) for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    key = data.draw(st.sampled_from(["content", "reasoning", "refusal"]))
    body = "".join(
        f'data: {{"choices":[{{"delta":{{"{key}":"{piece}"}}}}]}}\n\n' for piece in pieces
    ).encode()

    events, _ = translate(
        ChatCompletionsTranslator(), random_chunks(body, data.draw(st.integers()))
    )

    assert text == "".join(event.text for event in events)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(["content", "reasoning", "refusal"]),
            st.text(st.sampled_from("a\ud83d\ude00"), max_size=4),
        )
    ),
    st.integers(),
)
@settings(max_examples=150, deadline=None)
def test_halves_of_characters_become_what_the_whole_text_would(sent, seed):
    """Per choice and kind: the events' text is the pieces joined, with lone halves replaced."""
    body = b"".join(
        sse({"choices": [{"index": index, "delta": {key: piece}}]}) for index, key, piece in sent
    )
    kinds = {"content": TextDelta, "reasoning": ReasoningDelta, "refusal": RefusalDelta}
    expected: dict[Any, str] = {}
    for index, key, piece in sent:
        expected[index, kinds[key]] = expected.get((index, kinds[key]), "") + piece
    events, _ = translate(ChatCompletionsTranslator(), random_chunks(body, seed))

    actual: dict[Any, str] = {}
    for event in events:
        assert isinstance(event, TextDelta | ReasoningDelta | RefusalDelta)
        part = (event.choice, type(event))
        actual[part] = actual.get(part, "") + event.text
    assert {
        part: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for part, text in expected.items()
        if text
    } == actual


@given(st.binary(max_size=200), st.integers())
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_nothing_in_any_split(body, seed):
    """Whatever arrives, nothing is raised, and the split makes no difference."""
    check(ChatCompletionsTranslator, body, seed)
    check(ChatCompletionsTranslator, b"data: " + body + b"\n\n", seed)


def test_mutated_streams_raise_nothing_in_any_split():
    """Streams with flipped, lost, doubled and swapped bytes, in two random splits each."""
    for body, seed in mutated_streams("chat_completions", count=3_000):
        check(ChatCompletionsTranslator, body, seed)
