"""The Responses API: its events, and the response object."""

import pytest

from tests.testing.fault_server.raw_client import events
from tickertape.core.events import Usage
from tickertape.testing.answers import Answer, ToolCall
from tickertape.testing.fault_server.responses import response_body, response_frames


def stream(call):
    return events(b"".join(frame.encode(b"\n") for frame in response_frames(call)))


def test_the_events_of_a_text_come_in_order(call):
    """From created to completed."""
    assert [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ] == [event["type"] for event in stream(call())]


def test_every_event_is_numbered_and_named(call):
    """From 0, and the `event:` line says the type."""
    frames = response_frames(call())
    assert list(range(10)) == [event["sequence_number"] for event in stream(call())]
    assert list(range(10)) == [frame.sequence_number for frame in frames]
    assert b"event: response.created" == frames[0].lines[0]


def test_every_event_of_an_item_says_where_it_belongs(call):
    """All with one item id."""
    inner = [event for event in stream(call()) if "item_id" in event]
    places = {(event["item_id"], event["output_index"], event["content_index"]) for event in inner}
    assert {("msg_1_text", 0, 0)} == places


def test_reasoning_refusal_and_calls_are_items_of_their_own(call):
    """In this order."""
    answer = Answer(
        reasoning="Hm.", refusal="No.", tool_calls=(ToolCall(name="f", arguments='{"a":1}'),)
    )
    found = stream(call(answer))
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert ["reasoning", "message", "function_call"] == [item["type"] for item in done]
    assert [{"type": "summary_text", "text": "Hm."}] == done[0]["summary"]
    assert [{"type": "refusal", "refusal": "No."}] == done[1]["content"]
    assert ("f", "call_0", '{"a":1}') == (
        done[2]["name"],
        done[2]["call_id"],
        done[2]["arguments"],
    )
    assert {"response.reasoning_summary_text.delta", "response.refusal.delta"} <= {
        event["type"] for event in found
    }
    assert '{"a":1}' == "".join(
        event["delta"]
        for event in found
        if event["type"] == "response.function_call_arguments.delta"
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(words=9), "max_output_tokens"),
        (Answer(words=1, finish_reason="content_filter"), "content_filter"),
    ],
)
def test_an_answer_that_was_cut_ends_incomplete(call, answer, reason):
    """With the reason, and the usage."""
    last = stream(call(answer, max_output_tokens=2))[-1]
    assert "response.incomplete" == last["type"]
    assert {"reason": reason} == last["response"]["incomplete_details"]
    assert last["response"]["usage"] is not None


def test_azure_adds_content_filters_to_the_response(call):
    """The prompt's and the completion's."""
    body = response_body(call(flavor="azure"))
    assert ["prompt", "completion"] == [entry["source_type"] for entry in body["content_filters"]]
    assert "content_filters" not in response_body(call())


def test_usage_stands_in_the_last_event_only(call):
    """Where it is given, as it is given."""
    usage = Usage(input_tokens=1, output_tokens=2, total_tokens=3, reasoning_tokens=1)
    *before, last = stream(call(Answer(usage=usage)))
    assert {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 3,
    } == last["response"]["usage"]
    assert all(event.get("response", {}).get("usage") is None for event in before)
    assert response_body(call(Answer(usage=None)))["usage"] is None


def test_a_background_response_is_queued_first(call):
    """Before it is created."""
    assert "response.queued" == stream(call(background=True))[0]["type"]
