"""The Responses translator: bytes in any split → events and an end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.streams import (
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
from tickertape.core.events import (
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators.responses import NO_NUMBER, ResponsesTranslator

VECTORS = vectors_of("responses")


def translator_for(vector: dict[str, Any]) -> ResponsesTranslator:
    limit = {name: vector[name] for name in ("max_event_bytes",) if name in vector}
    return ResponsesTranslator(**limit)


@pytest.mark.parametrize("split", [whole, byte_by_byte, in_two_at_every_place])
@pytest.mark.parametrize("name", VECTORS)
def test_any_split_gives_the_events_and_the_end_of_the_vector(name, split):
    """However the bytes arrive, events and end are those of the vector."""
    vector = VECTORS[name]
    for chunks in split(body_of(vector)):
        events, end = translate(translator_for(vector), chunks)

        assert vector["events"] == stored(events)
        assert vector["end"] == ending(end)


def sse(type: str, **fields: object) -> bytes:  # noqa: A002
    body = json.dumps({"type": type, **fields})
    return f"event: {type}\ndata: {body}\n\n".encode()


def delta(text: str, number: int, **fields: object) -> bytes:
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    return sse(
        "response.output_text.delta", sequence_number=number, **{**place, "delta": text, **fields}
    )


CREATED = sse("response.created", sequence_number=0, response={"id": "resp_1"})


def completed(number: int, **response: object) -> bytes:
    body = {"id": "resp_1", "status": "completed", **response}
    return sse("response.completed", sequence_number=number, response=body)


def test_a_read_gives_its_events_at_once():
    """Nothing waits for the next read: each token is an event as soon as it is whole."""
    translator = ResponsesTranslator()

    assert [TextDelta("a")] == translator.feed(delta("a", 1))
    assert [TextDelta("b"), TextDelta("c")] == translator.feed(delta("b", 2) + delta("c", 3))
    assert [] == translator.feed(delta("d", 4)[:-1])
    assert [TextDelta("d")] == translator.feed(b"\n")


def test_p2_the_end_stays_as_it_was_set():
    """After the end nothing counts: neither bytes, nor a second close."""
    translator = ResponsesTranslator()
    translator.feed(completed(1))
    end = translator.end

    assert [] == translator.feed(delta("b", 2))
    assert [] == translator.close()
    assert end is translator.end
    assert StreamEnd() == end


def test_what_is_needed_to_go_on_elsewhere_is_known():
    """The response's id and the number of the last whole event, whichever way that was taken."""
    translator = ResponsesTranslator()
    assert ("", NO_NUMBER) == (translator.response_id, translator.last_number)

    translator.feed(CREATED)
    assert ("resp_1", 0) == (translator.response_id, translator.last_number)
    for number in (1, 2, 3):
        translator.feed(delta("a", number))
        assert number == translator.last_number
    translator.feed(sse("response.unknown", sequence_number=9) + delta("a", 10)[:-1])
    assert 9 == translator.last_number
    translator.feed(b"\n" + delta("\ud83d", 11) + delta("late", 7))
    assert 11 == translator.last_number
    translator.feed(sse("response.in_progress", response={}) + completed(12, id="another"))
    assert ("resp_1", 12) == (translator.response_id, translator.last_number)


def test_a_number_beyond_reason_is_not_taken_for_a_place():
    """It can't be asked for afterwards; its text counts all the same."""
    translator = ResponsesTranslator()
    translator.feed(delta("a", 1))

    assert [TextDelta("b")] == translator.feed(delta("b", 2**53))
    assert 1 == translator.last_number


@pytest.mark.parametrize("cut", range(len(delta("c", 3))))
def test_p1_another_connection_goes_on_where_the_first_was_cut(cut):
    """The half event is forgotten, what comes again is skipped, and all else counts once."""
    translator = ResponsesTranslator()
    sent = [CREATED, delta("a", 1), delta("b", 2), delta("c", 3), delta("d", 4), completed(5)]
    events = translator.feed(b"".join(sent[:3]) + sent[3][:cut])

    translator.resume()
    events += translator.feed(b"".join(sent[1:]))

    assert "abcd" == "".join(event.text for event in events if isinstance(event, TextDelta))
    assert StreamEnd() == translator.end


def test_a_half_character_survives_the_change_of_connections():
    """Its other half comes on the next one."""
    translator = ResponsesTranslator()
    assert [] == translator.feed(delta("\ud83d", 1))

    translator.resume()

    assert [TextDelta("😀")] == translator.feed(delta("\ude00", 2))


def test_only_a_provider_that_says_so_is_over():
    """An error event, a malformed one and an end of file leave open what goes on there."""
    ends = {
        completed(1): True,
        sse("response.failed", response={"error": {"code": "server_error"}}): True,
        sse("response.incomplete", response={}): True,
        sse("response.cancelled", response={}): True,
        b"event: error\ndata: {}\n\n": False,
        b"data: {oops\n\n": False,
        b"": False,
    }
    for body, is_over in ends.items():
        translator = ResponsesTranslator()
        translator.feed(body)
        translator.close()
        assert (is_over, True) == (translator.is_over, translator.end is not None), body


@pytest.mark.parametrize("frame", [b"data: %s\n\n", b"event: error\ndata: %s\n\n"])
@pytest.mark.parametrize(
    "body", [{"type": "error", "code": "sk-SECRET"}, {"error": {"message": "sk-SECRET"}}]
)
def test_p10_a_providers_words_are_for_operators_only(body, frame):
    """What the provider says about its failure is in the detail, never in the message."""
    translator = ResponsesTranslator()

    translator.feed(frame % json.dumps(body).encode())

    assert translator.end is not None
    assert translator.end.error is not None
    assert "sk-SECRET" in translator.end.detail
    assert "sk-SECRET" not in str(translator.end.error)


def test_a_failure_without_a_reason_has_a_detail():
    """Operators see at least how it was told."""
    translator = ResponsesTranslator()

    translator.feed(sse("response.failed", response={"error": None}))

    assert "response.failed" == translator.end.detail


def test_p10_a_failed_responses_words_are_for_operators_only():
    """The same for the error in a response."""
    translator = ResponsesTranslator()

    translator.feed(sse("response.failed", response={"error": {"message": "sk-SECRET"}}))

    assert "sk-SECRET" in translator.end.detail
    assert "sk-SECRET" not in str(translator.end.error)


@pytest.mark.parametrize("type_", ["response.created", "response.completed", "response.failed"])
@pytest.mark.parametrize(
    "fields",
    [
        b'"response":{"output":%s}',
        b'"response":{"error":%s}',
        b'"response":{"content_filters":[{"content_filter_results":{"x":%s}}]}',
        b'"response":{"output":[{"type":"message","content":%s}]},"x":"\\ud83d"',
        b'"x":%s',
        b'"delta":"\\ud83d","item":%s',
    ],
)
def test_deep_nesting_raises_nothing(type_, fields):
    """JSON nested beyond any reason is read or refused, never an exception."""
    for depth in (100, *range(800, 1_000, 3), 2_000, 100_000):
        nested = fields.replace(b"%s", b"[" * depth + b"]" * depth)
        data = b'data: {"type":"%s",%s}\n\n' % (type_.encode(), nested)

        translate(ResponsesTranslator(), [data + data])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(["output_text", "refusal", "reasoning_text"]),
            st.text(st.sampled_from("a\ud83d\ude00"), max_size=4),
        )
    ),
    st.integers(),
)
@settings(max_examples=150, deadline=None)
def test_halves_of_characters_become_what_the_whole_text_would(sent, seed):
    """Per kind: the events' text has as many characters as the parts' texts, halves replaced."""
    body = b"".join(
        sse(f"response.{kind}.delta", output_index=index, content_index=0, delta=piece)
        for index, kind, piece in sent
    )
    kinds: dict[str, Any] = {
        "output_text": TextDelta,
        "refusal": RefusalDelta,
        "reasoning_text": ReasoningDelta,
    }
    whole_texts: dict[Any, str] = {}
    for index, kind, piece in sent:
        whole_texts[index, kind] = whole_texts.get((index, kind), "") + piece
    expected = {
        kind: sorted(
            "".join(
                text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                for (_, each), text in whole_texts.items()
                if each == kind
            )
        )
        for kind in kinds
    }

    events, _ = translate(ResponsesTranslator(), random_chunks(body, seed))

    actual = {
        kind: sorted("".join(event.text for event in events if isinstance(event, event_type)))
        for kind, event_type in kinds.items()
    }
    assert expected == actual


@given(st.lists(st.text(min_size=1), max_size=5), st.data())
@settings(max_examples=150, deadline=None)
def test_p1_text_told_at_any_of_four_levels_arrives_once(texts, data):
    """Deltas, part, item, response: whichever of them come, the text is there once."""
    numbers = iter(range(1, 1000))
    stream = CREATED
    items = []
    levels = data.draw(st.sets(st.sampled_from(["delta", "part", "item", "response"]), min_size=1))
    for index, text in enumerate(texts):
        content = [{"type": "output_text", "text": text}]
        item = {"type": "message", "id": f"m{index}", "content": content}
        items.append(item)
        place = {"item_id": f"m{index}", "output_index": index, "content_index": 0}
        if "delta" in levels:
            cut = data.draw(st.integers(0, len(text)))
            for piece in (text[:cut], text[cut:]):
                stream += delta(piece, next(numbers), **place)
        if "part" in levels:
            stream += sse(
                "response.output_text.done", sequence_number=next(numbers), text=text, **place
            )
        if "item" in levels:
            stream += sse(
                "response.output_item.done",
                sequence_number=next(numbers),
                item=item,
                output_index=index,
            )
    stream += completed(next(numbers), output=items if "response" in levels else [])

    events, end = translate(ResponsesTranslator(), random_chunks(stream, data.draw(st.integers())))

    assert "".join(texts) == "".join(e.text for e in events if isinstance(e, TextDelta))
    assert StreamEnd() == end


def test_a_tool_call_costs_no_more_for_each_of_many():
    """Every call keeps its index, id and arguments."""
    stream = b"".join(
        sse(
            "response.output_item.done",
            output_index=index,
            item={
                "type": "function_call",
                "id": f"fc_{index}",
                "call_id": f"c{index}",
                "name": "f",
                "arguments": f"[{index}]",
            },
        )
        for index in range(50)
    )

    events, _ = translate(ResponsesTranslator(), [stream])

    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert [f"c{index}" for index in range(50)] == [call.id for call in calls if call.id]
    assert [f"[{i}]" for i in range(50)] == [c.arguments for c in calls if c.arguments]


@given(st.binary(max_size=200), st.integers())
@settings(max_examples=200, deadline=None)
def test_random_bytes_raise_nothing_in_any_split(body, seed):
    """Whatever arrives, nothing is raised, and the split makes no difference."""
    check(ResponsesTranslator, body, seed)
    check(ResponsesTranslator, b"event: response.completed\ndata: " + body + b"\n\n", seed)


def test_mutated_streams_raise_nothing_in_any_split():
    """Streams with flipped, lost, doubled and swapped bytes, in two random splits each."""
    for body, seed in mutated_streams("responses", count=3_000):
        check(ResponsesTranslator, body, seed)
