"""Random events for property tests, as Hypothesis strategies.

They are well-formed one by one; whether they may follow each other is the test's
business.
"""

from __future__ import annotations

import json
from typing import get_args

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tickertape.core.events import (
    AnswerStored,
    AttemptEnded,
    CancelledBy,
    ChoiceFinished,
    Delta,
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

seconds = st.floats(0, 1e9)
tokens = st.none() | st.integers(0, 2**53)
finish_reasons = st.sampled_from(get_args(FinishReason))
# Few choices and calls, so that neighbours are often of one part.
choices = st.integers(0, 1)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # JSON text is where code points, escapes and line ends go wrong.
    | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


short_texts = st.text(max_size=8)


def deltas(texts: SearchStrategy[str] = short_texts) -> SearchStrategy[Delta]:
    """Return deltas of all kinds, with texts and arguments drawn from `texts`."""
    fragments = st.builds(
        ToolCallDelta,
        index=choices,
        id=st.none() | st.none() | st.none() | st.text(max_size=4),
        name=st.none() | st.none() | st.none() | st.text(max_size=4),
        arguments=texts,
        choice=choices,
    )
    return (
        st.builds(TextDelta, texts, choices)
        | st.builds(ReasoningDelta, texts, choices)
        | st.builds(RefusalDelta, texts, choices)
        | fragments
    )


usages: SearchStrategy[Usage] = st.builds(
    Usage,
    input_tokens=tokens,
    output_tokens=tokens,
    total_tokens=tokens,
    cached_input_tokens=tokens,
    reasoning_tokens=tokens,
)
errors: SearchStrategy[RunError] = st.builds(
    RunError,
    code=st.sampled_from(get_args(ErrorCode)),
    message=st.text(),
    is_retryable=st.booleans(),
)
reports: SearchStrategy[Event] = (
    st.builds(
        FilterReported,
        subject=st.sampled_from(["prompt", "completion"]),
        annotations=st.dictionaries(st.text(), json_values, max_size=3),
        choice=st.none() | choices,
    )
    | st.builds(UsageReported, usages)
    | st.builds(
        AttemptEnded,
        provider=st.text(),
        model=st.text(),
        result=st.sampled_from(["chosen", "failed", "outrun"]),
        begun_s=seconds,
        ended_s=seconds,
        error=st.none() | errors,
        usage=st.none() | usages,
    )
    | st.builds(AnswerStored, provider=st.text(), model=st.text(), response_id=st.text())
    | st.builds(
        ChoiceFinished,
        finish_reason=finish_reasons,
        raw_finish_reason=st.text(max_size=8),
        choice=choices,
    )
)
unknowns: SearchStrategy[UnknownEvent] = st.builds(
    lambda kind, fields: UnknownEvent(
        kind, json.dumps({**fields, "type": kind}, ensure_ascii=False).encode()
    ),
    st.text().map("new_".__add__),
    st.dictionaries(st.text(), json_values, max_size=3),
)
starts: SearchStrategy[RunStarted] = st.builds(
    RunStarted, run_id=st.text(), model=st.text(), provider=st.text(), created_at=seconds
)
ends: SearchStrategy[RunEnded] = st.builds(
    RunEnded,
    outcome=st.sampled_from(get_args(Outcome)),
    length=st.integers(0, 2**53),
    timings=st.builds(Timings, first_progress_s=st.none() | seconds, duration_s=seconds),
    finish_reason=st.none() | finish_reasons,
    raw_finish_reason=st.none() | st.text(),
    usage=st.none() | usages,
    error=st.none() | errors,
    cancelled_by=st.none() | st.sampled_from(get_args(CancelledBy)),
)

middles: SearchStrategy[Event] = deltas() | deltas() | deltas() | reports | unknowns
"""What may come between start and end, deltas most of all."""

events: SearchStrategy[Event] = middles | starts | ends
"""Any event."""
