"""The chat completions translator: bytes in any split → events and an end."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickertape.core.coalesce import coalesce
from tickertape.core.codec import encode_event
from tickertape.core.events import (
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from tickertape.providers.base import StreamEnd, Translator
from tickertape.providers.chat_completions import ChatCompletionsTranslator, EndPolicy

FOLDER = Path(__file__).parents[2] / "conformance" / "providers" / "chat_completions"
VECTORS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
DONE = b"data: [DONE]\n\n"


def body_of(vector: dict[str, Any]) -> bytes:
    if "stream_base64" in vector:
        return base64.b64decode(vector["stream_base64"])
    return "".join(vector["stream"]).encode()


def translator_for(vector: dict[str, Any]) -> ChatCompletionsTranslator:
    settings_of = {
        name: vector[name] for name in ("expected_choices", "max_event_bytes") if name in vector
    }
    return ChatCompletionsTranslator(end_policy=EndPolicy(vector["end_policy"]), **settings_of)


def translate(translator: Translator, chunks: Iterable[bytes]) -> tuple[list[Event], StreamEnd]:
    """Feed the chunks as the engine does: until the end is set, then close."""
    events: list[Event] = []
    for chunk in chunks:
        events += translator.feed(chunk)
        if translator.end is not None:
            break
    events += translator.close()
    assert translator.end is not None
    return list(coalesce(events)), translator.end


def stored(events: list[Event]) -> list[Any]:
    return [json.loads(encode_event(event)) for event in events]


def ending(end: StreamEnd) -> dict[str, Any] | None:
    if end.error is None:
        return None
    return {"code": end.error.code, "is_retryable": end.error.is_retryable}


def whole(body: bytes) -> Iterator[list[bytes]]:
    yield [body]


def byte_by_byte(body: bytes) -> Iterator[list[bytes]]:
    yield [body[at : at + 1] for at in range(len(body))]


def in_two_at_every_place(body: bytes) -> Iterator[list[bytes]]:
    for at in range(len(body) + 1):
        yield [body[:at], body[at:]]


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


def random_chunks(body: bytes, seed: int) -> list[bytes]:
    choose = random.Random(seed)
    cuts = sorted(choose.randrange(len(body) + 1) for _ in range(choose.randrange(8)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


@given(st.binary(max_size=200), st.integers())
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_nothing_in_any_split(body, seed):
    """Whatever arrives, nothing is raised, and the split makes no difference."""
    check(body, seed)
    check(b"data: " + body + b"\n\n", seed)


def test_mutated_streams_raise_nothing_in_any_split():
    """Streams with flipped, lost, doubled and swapped bytes, in two random splits each."""
    bodies = [body_of(vector) for vector in VECTORS.values()]
    choose = random.Random(20261122)
    for seed in range(3_000):
        check(mutated(choose.choice(bodies), choose, bodies), seed)


def mutated(body: bytes, choose: random.Random, others: list[bytes]) -> bytes:
    for _ in range(choose.randrange(1, 4)):
        at = choose.randrange(len(body) + 1)
        to = min(len(body), at + choose.randrange(1, 40))
        match choose.randrange(6):
            case 0:
                body = body[:at] + choose.randbytes(choose.randrange(1, 4)) + body[at + 1 :]
            case 1:
                body = body[:at] + body[to:]
            case 2:
                body = body[:to] + body[at:]
            case 3:
                piece = choose.choice(
                    [b"\\ud83d", b"\\ude00", b"null", b"{}", b"[]", b"1e999", b'"', b"\n\n", b"\r"]
                )
                body = body[:at] + piece + body[at:]
            case 4:
                other = choose.choice(others)
                body = body[:at] + other[choose.randrange(len(other)) :]
            case _:
                at = body.find(b":", at) + 1
                value = choose.choice(
                    [b"null,", b"0,", b'"x",', b"{},", b"[],", b"true,", b"[{}],"]
                )
                body = body[:at] + value[:-1] + body[max(body.find(b",", at), at) :]
    return body


def check(body: bytes, seed: int) -> None:
    """Whole and in random pieces: the same events and end, nothing raised, all storable."""
    results = []
    for chunks in ([body], random_chunks(body, seed)):
        events, end = translate(ChatCompletionsTranslator(), chunks)
        for event in events:
            encode_event(event)  # which raises for a lone surrogate
        end.detail.encode()
        results.append((events, end))
    assert results[0] == results[1], body
