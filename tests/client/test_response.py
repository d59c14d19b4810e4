"""The response: what a stream has brought, at any moment."""

from __future__ import annotations

from tickertape.client.response import StreamedResponse
from tickertape.core.events import (
    AttemptEnded,
    ChoiceFinished,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunStarted,
    TextDelta,
    Timings,
    ToolCallDelta,
    Usage,
    UsageReported,
)

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=0.0)
ENDED = RunEnded(
    outcome="completed",
    length=2,
    timings=Timings(first_progress_s=0.1, duration_s=0.2),
    finish_reason="stop",
    usage=Usage(output_tokens=7),
)


def response_of(*events):
    response = StreamedResponse()
    for event in events:
        response.apply(event)
    return response


def test_it_is_empty_at_first():
    """Before anything came, everything is empty or None."""
    response = StreamedResponse()
    assert ("", [], 0, None, None, None) == (
        response.content,
        response.chunks,
        response.total_chunks,
        response.finish_reason,
        response.usage,
        response.outcome,
    )
    assert ("", "", [], []) == (
        response.reasoning,
        response.refusal,
        response.tool_calls,
        response.attempts,
    )


def test_text_is_kept_in_the_pieces_in_which_it_came():
    """Each piece of choice 0 is a chunk; other choices and empty pieces are none."""
    response = response_of(
        STARTED, TextDelta("a"), TextDelta("x", 1), TextDelta(""), TextDelta("b")
    )
    assert (["a", "b"], 2, "ab") == (response.chunks, response.total_chunks, response.content)
    assert response.state.choices[1].text == "x"


def test_apply_returns_the_text_that_was_added():
    """Only choice 0's text is handed to who iterates."""
    response = response_of(STARTED)
    events = [TextDelta("a"), TextDelta("x", 1), ReasoningDelta("hm"), TextDelta("")]
    assert ["a", "", "", ""] == [response.apply(event) for event in events]


def test_it_says_during_the_run_what_is_known():
    """Finish reason and usage show before the end, the outcome with it."""
    response = response_of(
        STARTED,
        ChoiceFinished(finish_reason="length", raw_finish_reason="length"),
        UsageReported(Usage(output_tokens=3)),
    )
    assert ("length", 3, None) == (
        response.finish_reason,
        response.usage.output_tokens,
        response.outcome,
    )


def test_the_end_has_the_last_word():
    """What `RunEnded` says counts."""
    response = response_of(STARTED, UsageReported(Usage(output_tokens=3)), ENDED)
    assert ("stop", 7, "completed") == (
        response.finish_reason,
        response.usage.output_tokens,
        response.outcome,
    )


def test_a_run_may_be_joined_in_the_middle():
    """Who tails after a cursor has no start."""
    response = response_of(TextDelta("b"), ENDED)
    assert ("b", "completed", None) == (response.content, response.outcome, response.state.started)


def test_what_is_no_text_is_kept_apart():
    """Of choice 0; tool calls come in the order of their index, whichever came first."""
    response = response_of(
        STARTED,
        AttemptEnded(provider="p", model="m", result="chosen", begun_s=0, ended_s=1),
        ReasoningDelta("hm"),
        ReasoningDelta("no", 1),
        RefusalDelta("I won't."),
        RefusalDelta("Nor I.", 1),
        ToolCallDelta(index=1, id="b", name="rain", arguments="{}"),
        ToolCallDelta(index=0, id="a", name="sun", arguments="{"),
        ToolCallDelta(index=0, arguments="}"),
        ToolCallDelta(index=0, id="c", name="snow", choice=1),
    )
    assert ("hm", "I won't.", "") == (response.reasoning, response.refusal, response.content)
    assert [("sun", "{}"), ("rain", "{}")] == [
        (call.name, call.arguments) for call in response.tool_calls
    ]
    assert ["chosen"] == [attempt.result for attempt in response.attempts]


def test_its_repr_shows_what_matters():
    """In a notebook the last expression shows."""
    assert repr(response_of(STARTED, TextDelta("Hi"))) == (
        "StreamedResponse(content='Hi', total_chunks=1, finish_reason=None, outcome=None)"
    )
