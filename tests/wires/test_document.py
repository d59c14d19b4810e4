"""A run as one JSON document."""

from __future__ import annotations

import json

from tickertape.core.cursor import Cursor
from tickertape.core.events import (
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
from tickertape.core.run_state import RunState
from tickertape.engine.snapshot import Snapshot
from tickertape.wires.document import encode_document


def document_of(*events, epoch=1):
    state = RunState()
    for event in events:
        state.apply(event)
    return json.loads(encode_document(Snapshot(state, Cursor(len(events) - 1, epoch))))


STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=1.0)


def test_a_run_in_the_middle():
    """What is there so far, and where to go on."""
    assert {
        "run_id": "r",
        "model": "m",
        "provider": "p",
        "created_at": 1.0,
        "phase": "running",
        "cursor": "3",
        "content": "Hello",
        "choices": [
            {"index": 0, "content": "Hello", "finish_reason": None, "reasoning": "hm"},
        ],
        "length": 5,
        "usage": None,
    } == document_of(STARTED, ReasoningDelta("hm"), TextDelta("Hel"), TextDelta("lo"))


def test_a_run_that_has_ended():
    """Every choice in order, and the end as on the native wire."""
    document = document_of(
        STARTED,
        RefusalDelta("no", 1),
        ToolCallDelta(index=0, id="c", name="f", arguments='{"a"'),
        ToolCallDelta(index=0, arguments=":1}"),
        ChoiceFinished(finish_reason="tool_calls", raw_finish_reason="tool_calls"),
        UsageReported(Usage(output_tokens=2)),
        RunEnded(
            outcome="completed",
            length=0,
            timings=Timings(first_progress_s=None, duration_s=1),
            finish_reason="tool_calls",
        ),
        epoch=2,
    )
    assert [
        {
            "index": 0,
            "content": "",
            "finish_reason": "tool_calls",
            "tool_calls": [{"index": 0, "id": "c", "name": "f", "arguments": '{"a":1}'}],
        },
        {"index": 1, "content": "", "finish_reason": None, "refusal": "no"},
    ] == document["choices"]
    assert ("ended", "completed", "6.2") == (
        document["phase"],
        document["outcome"],
        document["cursor"],
    )
