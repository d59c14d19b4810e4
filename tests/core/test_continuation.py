"""Whatever of an answer is stored, and however it is cut when it comes again: the rest is new."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickertape.core.coalesce import coalesce
from tickertape.core.continuation import Continuation
from tickertape.core.events import (
    ChoiceFinished,
    FilterReported,
    ReasoningDelta,
    RefusalDelta,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from tickertape.core.run_state import RunState

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=0.0)
ANSWER = [
    FilterReported(subject="prompt", annotations={"hate": False}),
    ReasoningDelta("Let me think"),
    TextDelta("It is 東京 👍, of course"),
    TextDelta("And this is the other", 1),
    ToolCallDelta(index=0, id="c1", name="look"),
    ToolCallDelta(index=0, arguments='{"where": "there"}'),
    ToolCallDelta(index=1, id="c2", name="see", arguments="{}"),
    RefusalDelta("No."),
    ChoiceFinished(finish_reason="stop", raw_finish_reason="stop"),
    UsageReported(Usage(output_tokens=9)),
]


def fold(events, state=None):
    if state is None:
        state = RunState()
        state.apply(STARTED)
    for event in events:
        state.apply(event)
    return state


def facts(state):
    """Return all that a fold says, as plain values."""
    return (
        {
            index: (
                choice.text,
                choice.reasoning,
                choice.refusal,
                choice.finish_reason,
                {at: (c.id, c.name, c.arguments) for at, c in choice.tool_calls.items()},
            )
            for index, choice in state.choices.items()
        },
        state.filters,
        state.usage,
        state.length,
    )


@st.composite
def cut(draw, events):
    """Return the events with their texts cut at random places."""
    pieces = []
    for event in events:
        name = "arguments" if isinstance(event, ToolCallDelta) else "text"
        text = getattr(event, name, "")
        at = draw(st.integers(0, len(text)))
        if not 0 < at < len(text):
            pieces.append(event)
        elif isinstance(event, ToolCallDelta):
            pieces.append(
                ToolCallDelta(index=event.index, id=event.id, name=event.name, arguments=text[:at])
            )
            pieces.append(ToolCallDelta(index=event.index, arguments=text[at:]))
        else:
            pieces.append(type(event)(text[:at], event.choice))
            pieces.append(type(event)(text[at:], event.choice))
    return pieces


@given(cut(ANSWER), cut(ANSWER), st.data())
def test_p1_what_is_stored_and_what_is_new_are_the_answer(first, second, data):
    """Once each: whatever was stored when the first writer died, and however it comes again."""
    stored = fold(first[: data.draw(st.integers(0, len(first)))])
    continuation = Continuation(stored)
    new = []
    while second:
        size = data.draw(st.integers(1, len(second)))
        new += continuation.take(coalesce(second[:size]))
        second = second[size:]
    assert ("", False) == (continuation.mismatch, continuation.is_behind)
    assert facts(fold(ANSWER)) == facts(fold(new, stored))


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ([TextDelta("It is A")], [TextDelta("It is B")]),
        ([TextDelta("It is A")], [TextDelta("It"), TextDelta(" was"), TextDelta(" A")]),
        ([ReasoningDelta("Hm")], [ReasoningDelta("Ha")]),
        ([ToolCallDelta(index=0, id="a", name="f")], [ToolCallDelta(index=0, id="b", name="f")]),
        ([ToolCallDelta(index=0, id="a", name="f")], [ToolCallDelta(index=0, id="a", name="g")]),
    ],
)
def test_p1_another_answer_is_not_taken_for_the_stored_one(stored, told):
    """Nothing of it is let through, from then on."""
    continuation = Continuation(fold(stored))
    assert [] == continuation.take(told)
    assert continuation.mismatch
    assert [] == continuation.take([TextDelta("more")])


def test_p1_an_answer_that_lacks_what_is_stored_is_behind():
    """As long as not all of it has come again."""
    continuation = Continuation(fold([TextDelta("abc"), ReasoningDelta("x")]))
    assert [] == continuation.take([TextDelta("ab")])
    assert continuation.is_behind
    assert [TextDelta("d")] == continuation.take([TextDelta("cd")])
    assert continuation.is_behind
    assert [] == continuation.take([ReasoningDelta("x")])
    assert not continuation.is_behind


def test_a_later_report_replaces_a_stored_one():
    """A usage or a finish reason that differs is news."""
    finish = ChoiceFinished(finish_reason="content_filter", raw_finish_reason="content_filter")
    usage = UsageReported(Usage(output_tokens=10))
    assert [finish, usage] == Continuation(fold(ANSWER)).take([finish, usage])


def test_text_that_follows_the_stored_is_not_touched():
    """Whatever is stored of other parts."""
    continuation = Continuation(fold([ReasoningDelta("x")]))
    assert [TextDelta("x"), TextDelta("y", 1)] == continuation.take(
        [TextDelta("x"), TextDelta("y", 1)]
    )
