"""Stored names are pinned by vectors; encoding and decoding lose nothing."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import events, unknowns
from tests.vectors import by_name, to_bytes, vectors
from tickertape.core.codec import decode_event, encode_event, encode_events
from tickertape.core.errors import ProtocolError
from tickertape.core.events import (
    AnswerStored,
    AttemptEnded,
    CancelledBy,
    ChoiceFinished,
    ErrorCode,
    Event,
    FilterReported,
    FinishReason,
    Outcome,
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

TIMINGS = Timings(first_progress_s=0.25, duration_s=1.5)
KNOWN: dict[str, Event] = {
    "run_started": RunStarted(
        run_id="4f2a", model="gpt-4o", provider="azure", created_at=1790000000.25
    ),
    "attempt_ended_minimal": AttemptEnded(
        provider="azure", model="gpt-4o", result="chosen", begun_s=0.5, ended_s=1.25
    ),
    "attempt_ended_full": AttemptEnded(
        provider="azure",
        model="gpt-4o",
        result="failed",
        begun_s=0.0,
        ended_s=0.25,
        error=RunError(code="rate_limited", message="Too many.", is_retryable=True),
        usage=Usage(input_tokens=3),
    ),
    "answer_stored": AnswerStored(provider="azure", model="gpt-4o", response_id="resp_1"),
    "text_delta_minimal": TextDelta("Hel"),
    "text_delta_full": TextDelta('\u00e9\u20ac\U0001f600 "\\\n\u2028\0', choice=1),
    "text_delta_empty": TextDelta(""),
    "reasoning_delta_minimal": ReasoningDelta("Hm"),
    "reasoning_delta_full": ReasoningDelta("Hm", choice=1),
    "refusal_delta_minimal": RefusalDelta("I can't"),
    "refusal_delta_full": RefusalDelta("I can't", choice=1),
    "tool_call_delta_minimal": ToolCallDelta(index=0),
    "tool_call_delta_full": ToolCallDelta(
        index=2, id="call_1", name="add", arguments='{"a":', choice=1
    ),
    "filter_reported_minimal": FilterReported(subject="prompt", annotations={}),
    "filter_reported_full": FilterReported(
        subject="completion",
        annotations={
            "hate": {"filtered": False, "severity": "safe"},
            "offsets": [0, 44, 1.5],
            "note": None,
        },
        choice=0,
    ),
    "usage_reported_minimal": UsageReported(Usage()),
    "usage_reported_full": UsageReported(
        Usage(
            input_tokens=10,
            output_tokens=20,
            total_tokens=30,
            cached_input_tokens=4,
            reasoning_tokens=5,
        )
    ),
    "choice_finished_minimal": ChoiceFinished(finish_reason="stop", raw_finish_reason="stop"),
    "choice_finished_full": ChoiceFinished(
        finish_reason="other", raw_finish_reason="steered", choice=1
    ),
    "run_ended_minimal": RunEnded(
        outcome="completed", length=0, timings=Timings(first_progress_s=None, duration_s=0.5)
    ),
    "run_ended_completed": RunEnded(
        outcome="completed",
        length=31,
        timings=TIMINGS,
        finish_reason="length",
        raw_finish_reason="max_tokens",
        usage=Usage(input_tokens=10, output_tokens=20),
    ),
    "run_ended_failed_minimal": RunEnded(
        outcome="failed",
        length=3,
        timings=TIMINGS,
        error=RunError(code="truncated", message="the answer was cut off"),
    ),
    "run_ended_failed_full": RunEnded(
        outcome="failed",
        length=3,
        timings=TIMINGS,
        finish_reason="stop",
        raw_finish_reason="stop",
        usage=Usage(),
        error=RunError(code="stalled", message="no text for 30 s", is_retryable=True),
    ),
    "run_ended_cancelled": RunEnded(
        outcome="cancelled", length=3, timings=TIMINGS, cancelled_by="user"
    ),
}
WORDS = {
    "outcome": Outcome,
    "finish_reason": FinishReason,
    "cancelled_by": CancelledBy,
    "error_code": ErrorCode,
}


def known(name: str) -> Event:
    """Return the event that the vector of this name stands for."""
    return KNOWN[name.removeprefix("known/")]


class TestStoredNames:
    def test_every_event_is_pinned_and_every_vector_has_its_event(self):
        """A new event needs a vector, or its names could change unseen."""
        assert set(KNOWN) == {vector["name"] for vector in vectors("events", "known")}
        assert set(get_args(Event)) - {UnknownEvent} == {type(event) for event in KNOWN.values()}

    def test_every_field_is_set_in_some_vector(self):
        """A field that no vector has could be renamed unseen."""
        stored = [vector["stored"] for vector in vectors("events", "known")]
        for event in {type(event): event for event in KNOWN.values()}.values():
            kind = event.__struct_config__.tag
            seen = {name for fields in stored if fields["type"] == kind for name in fields}
            assert {"type", *event.__struct_encode_fields__} == seen

    @pytest.mark.parametrize("vector", vectors("events", "known"), ids=by_name)
    def test_an_event_is_stored_as_in_the_vector(self, vector):
        """Names, values, and which defaults are left out."""
        assert vector["stored"] == json.loads(encode_event(known(vector.name)))

    @pytest.mark.parametrize("vector", vectors("events", "known"), ids=by_name)
    def test_the_vector_is_read_as_the_event(self, vector):
        """What was stored by any version since can still be read."""
        assert known(vector.name) == decode_event(json.dumps(vector["stored"]).encode())

    @pytest.mark.parametrize("vector", vectors("events", "equal"), ids=by_name)
    def test_other_ways_to_write_an_event_are_read_as_the_same(self, vector):
        """Order, white space, escapes, defaults and fields of a newer version don't matter."""
        assert known(vector["same_as"]) == decode_event(to_bytes(vector["input"]))

    @pytest.mark.parametrize("vector", vectors("events", "words"), ids=by_name)
    def test_the_closed_sets_of_words_are_these(self, vector):
        """A word that is stored somewhere can't be taken away."""
        assert vector["words"] == list(get_args(WORDS[vector["name"]]))


class TestRoundTrip:
    @given(events)
    def test_decoding_gives_back_what_was_encoded(self, event):
        """No value of any field is lost or changed."""
        assert event == decode_event(encode_event(event))

    @given(events)
    def test_an_event_is_one_line_of_utf_8_json(self, event):
        """Line-based wires and logs rely on it."""
        encoded = encode_event(event)
        assert isinstance(json.loads(encoded.decode()), dict)
        assert 1 == len(encoded.splitlines())

    def test_a_lone_surrogate_is_refused_with_an_error_of_ours(self):
        """It has no UTF-8, so it can't be stored; translators replace it."""
        with pytest.raises(ProtocolError, match="TextDelta has a lone surrogate"):
            encode_event(TextDelta("\ud83d"))


class TestUnknown:
    @pytest.mark.parametrize("vector", vectors("events", "unknown"), ids=by_name)
    def test_an_event_of_a_newer_version_is_kept_byte_for_byte(self, vector):
        """An older process may pass it on to a newer reader."""
        stored = to_bytes(vector["input"])
        event = decode_event(stored)
        assert UnknownEvent(vector["kind"], stored) == event
        assert stored == encode_event(event)

    @given(unknowns)
    def test_any_unknown_event_survives_a_round_trip(self, event):
        """Whatever its fields are."""
        assert event == decode_event(encode_event(event))

    def test_one_on_several_lines_is_put_on_one(self):
        """It must not break wires that are made of lines; as JSON it is the same."""
        stored = b'{\r\n "type": "new",\n "a": [1,\r2]\n}\n'
        event = decode_event(stored)
        assert 1 == len(encode_event(event).splitlines())
        assert json.loads(stored) == json.loads(encode_event(event))

    def test_the_bytes_are_a_copy(self):
        """A log may hand out a view of a buffer that it uses again."""
        buffer = bytearray(b'{"type":"new"}')
        event = decode_event(memoryview(buffer))
        buffer[2:6] = b"xxxx"
        assert UnknownEvent("new", b'{"type":"new"}') == event


class TestBadInput:
    @pytest.mark.parametrize("vector", vectors("events", "refused"), ids=by_name)
    def test_what_is_no_event_is_refused(self, vector):
        """A broken store is told apart from a newer one."""
        with pytest.raises(ProtocolError, match="not a stored event: .+"):
            decode_event(to_bytes(vector["input"]))

    @pytest.mark.parametrize("kind", ["filter_reported", "new"])
    def test_json_nested_too_deep_is_refused(self, kind):
        """A stack that a stored value can exhaust would be a way to kill the reader."""
        annotations = '{"a":' * 100_000 + "1" + "}" * 100_000
        stored = f'{{"type":"{kind}","subject":"prompt","annotations":{annotations}}}'
        with pytest.raises(ProtocolError, match="recursion"):
            decode_event(stored.encode())

    @given(
        st.binary()
        | st.tuples(events.map(encode_event), st.integers(0, 200), st.binary(max_size=3)).map(
            lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + 1 :]
        )
    )
    def test_no_bytes_raise_anything_else(self, data):
        """Random bytes, and events with a random bite taken out."""
        try:
            event = decode_event(data)
        except ProtocolError:
            return
        encode_event(event).decode()


@given(st.lists(events | unknowns, max_size=6))
def test_many_events_are_written_as_each_alone(many):
    """In one array, whatever is among them."""
    alone = b"[%b]" % b",".join(encode_event(event) for event in many)
    assert alone == encode_events(many) == encode_events(tuple(many))


def test_one_of_many_that_can_not_be_written_is_named():
    """A lone surrogate, and an unknown event that is no JSON."""
    with pytest.raises(ProtocolError, match="TextDelta has a lone surrogate"):
        encode_events([TextDelta("a"), TextDelta("\ud800")])
    with pytest.raises(ProtocolError):
        encode_events([TextDelta("a"), UnknownEvent("new", b"{")])
