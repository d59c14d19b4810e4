"""The native wire: blocks that simple clients, EventSource and our own readers understand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickertape.core.errors import ProtocolError
from tickertape.core.events import (
    AttemptEnded,
    ChoiceFinished,
    FilterReported,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunError,
    RunStarted,
    TextDelta,
    Timings,
    ToolCallDelta,
    UnknownEvent,
    Usage,
    UsageReported,
)
from tickertape.core.record import Record
from tickertape.core.sse import SseDecoder
from tickertape.wires.native import decode_payload, encode, encode_payload

TIMINGS = Timings(first_progress_s=0.5, duration_s=1.5)
USAGE = Usage(input_tokens=3, output_tokens=4)
PAYLOADS = [
    (
        RunStarted(run_id="r", model="m", provider="p", created_at=5.0),
        {"run_id": "r", "model": "m", "provider": "p", "created_at": 5.0},
    ),
    (
        AttemptEnded(
            provider="p",
            model="m",
            result="failed",
            begun_s=0.0,
            ended_s=0.25,
            error=RunError(code="rate_limited", message="Too many.", is_retryable=True),
        ),
        {
            "attempt": {
                "provider": "p",
                "model": "m",
                "result": "failed",
                "begun_s": 0.0,
                "ended_s": 0.25,
                "error": {"code": "rate_limited", "message": "Too many.", "is_retryable": True},
            }
        },
    ),
    (TextDelta('say "hi"\n👋'), {"content": 'say "hi"\n👋'}),
    (TextDelta("b", 1), {"content": "b", "choice": 1}),
    (ReasoningDelta("hm"), {"reasoning": "hm"}),
    (RefusalDelta("no", 2), {"refusal": "no", "choice": 2}),
    (
        ToolCallDelta(index=0, id="c", name="f", arguments="{"),
        {"tool_call": {"index": 0, "arguments": "{", "id": "c", "name": "f"}},
    ),
    (
        ToolCallDelta(index=1, arguments="}", choice=1),
        {"tool_call": {"index": 1, "arguments": "}"}, "choice": 1},
    ),
    (
        FilterReported(subject="prompt", annotations={"hate": {"filtered": False}}),
        {"filter": {"subject": "prompt", "annotations": {"hate": {"filtered": False}}}},
    ),
    (
        FilterReported(subject="completion", annotations={}, choice=0),
        {"filter": {"subject": "completion", "annotations": {}}, "choice": 0},
    ),
    (UsageReported(USAGE), {"usage": {"input_tokens": 3, "output_tokens": 4}}),
    (
        ChoiceFinished(finish_reason="length", raw_finish_reason="max_tokens", choice=1),
        {"choice": 1, "finish_reason": "length", "raw_finish_reason": "max_tokens"},
    ),
    (
        RunEnded(
            outcome="completed",
            length=31,
            timings=TIMINGS,
            finish_reason="stop",
            raw_finish_reason="stop",
            usage=USAGE,
        ),
        {
            "outcome": "completed",
            "finish_reason": "stop",
            "raw_finish_reason": "stop",
            "usage": {"input_tokens": 3, "output_tokens": 4},
            "length": 31,
            "timings": {"first_progress_s": 0.5, "duration_s": 1.5},
        },
    ),
    (
        RunEnded(
            outcome="failed",
            length=0,
            timings=TIMINGS,
            error=RunError(code="stalled", message="It stalled.", is_retryable=True),
        ),
        {
            "error": "It stalled.",
            "code": "stalled",
            "retryable": True,
            "outcome": "failed",
            "finish_reason": None,
            "usage": None,
            "length": 0,
            "timings": {"first_progress_s": 0.5, "duration_s": 1.5},
        },
    ),
    (
        RunEnded(outcome="cancelled", length=2, timings=TIMINGS, cancelled_by="user"),
        {
            "outcome": "cancelled",
            "cancelled_by": "user",
            "finish_reason": None,
            "usage": None,
            "length": 2,
            "timings": {"first_progress_s": 0.5, "duration_s": 1.5},
        },
    ),
    (UnknownEvent("future", b'{"type":"future","x":1}'), {"type": "future", "x": 1}),
]


def block(offset, event):
    return encode([Record(offset, event, 1, 0.0)])


@pytest.mark.parametrize(("event", "payload"), PAYLOADS, ids=lambda value: type(value).__name__)
def test_each_event_has_its_payload_and_comes_back_from_it(event, payload):
    """What a client reads is pinned, and our own readers get the same event back."""
    assert payload == json.loads(encode_payload(event))
    assert event == decode_payload(encode_payload(event))


def test_an_error_code_of_a_newer_server_is_no_reason_to_lose_the_end():
    """It reads as `internal`, with the message as it is."""
    data = '{"error":"Odd.","code":"brand_new","outcome":"failed","length":0,"timings":%s}'
    ended = decode_payload(data % '{"first_progress_s":null,"duration_s":1}')
    assert RunError(code="internal", message="Odd.") == ended.error


def test_a_block_is_an_id_and_one_line_of_data():
    """No `event:` field, so that `onmessage` sees everything."""
    assert b'id: 7\ndata: {"content":"Hel"}\n\n' == block(7, TextDelta("Hel"))


def test_the_end_is_followed_by_done_without_an_id():
    """`[DONE]` means closed; the last id stays the end's."""
    ended = RunEnded(outcome="completed", length=0, timings=TIMINGS)
    events = SseDecoder().feed(block(9, ended))
    assert ["9", "9"] == [event.id for event in events]
    assert "[DONE]" == events[1].data


def test_a_record_that_many_read_is_encoded_once():
    """The readers of one run ask for the same record in turn, and get the same bytes."""
    record = Record(3, TextDelta("once"), 1, 0.0)
    assert encode([record]) is encode([record])


@pytest.mark.parametrize(
    "other", [Record(3, TextDelta("two"), 1, 0.0), Record(4, TextDelta("one"), 1, 0.0)]
)
def test_another_record_has_its_own_block(other):
    """Be it at the same place in another run, or of the same text."""
    one = Record(3, TextDelta("one"), 1, 0.0)
    assert b'id: 3\ndata: {"content":"one"}\n\n' == encode([one])
    text = f'id: {other.offset}\ndata: {{"content":"{other.event.text}"}}\n\n'
    assert text.encode() == encode([other])
    assert b'id: 3\ndata: {"content":"one"}\n\n' == encode([one])


def test_a_batch_is_one_write():
    """Records become blocks, in order, in one piece."""
    records = [Record(1, TextDelta("a"), 1, 0.0), Record(4, TextDelta("b", 1), 1, 0.0)]
    assert b'id: 1\ndata: {"content":"a"}\n\nid: 4\ndata: {"content":"b","choice":1}\n\n' == encode(
        records
    )


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 3))
def test_any_text_survives_the_wire(text, choice):
    """Line ends, NUL and everything else are inside JSON, so no text breaks a block."""
    delta = TextDelta(text, choice)
    (event,) = SseDecoder().feed(block(3, delta))
    assert ("3", delta) == (event.id, decode_payload(event.data))


@pytest.mark.parametrize(
    "data",
    ["", "[]", "nonsense", '{"content":5}', '{"outcome":"splendid","length":1}', '{"run_id":"r"}'],
)
def test_what_is_no_block_is_a_protocol_error(data):
    """A reader never takes nonsense for an event."""
    with pytest.raises(ProtocolError, match="native wire"):
        decode_payload(data)


def test_after_a_take_over_the_id_tells_the_epoch():
    """In every kind of block; without it, the epoch is the first."""
    events = [TextDelta("a"), TextDelta("b", 1), UsageReported(USAGE)]
    blocks = SseDecoder().feed(encode([Record(7, event, 12, 0.0) for event in events]))
    assert ["7.12"] * 3 == [block.id for block in blocks]
    assert events == [decode_payload(block.data) for block in blocks]
    assert ["7"] * 3 == [
        block.id
        for block in SseDecoder().feed(encode([Record(7, event, 1, 0.0) for event in events]))
    ]
