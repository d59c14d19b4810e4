"""The end of a run whose producer died says what the log knows, and no more."""

from __future__ import annotations

import pytest

from tickertape.core.events import (
    ChoiceFinished,
    ReasoningDelta,
    RunStarted,
    TextDelta,
    Timings,
    Usage,
    UsageReported,
)
from tickertape.core.lost_run import end_lost_run

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=100.0)


def test_it_failed_and_may_be_tried_again():
    """`producer_lost`, in words for a reader."""
    ended = end_lost_run([(100.0, [STARTED])])
    assert ("failed", "producer_lost", True) == (
        ended.outcome,
        ended.error.code,
        ended.error.is_retryable,
    )


def test_the_length_is_that_of_the_text_in_the_log():
    """Of all choices, in code points; reasoning is no answer."""
    events = [TextDelta("a👍"), TextDelta("b", 1), ReasoningDelta("hm")]
    assert 5 == end_lost_run([(100.0, [STARTED]), (101.0, events), (102.0, events[:1])]).length


@pytest.mark.parametrize(
    ("appends", "timings"),
    [
        ([], Timings(first_progress_s=None, duration_s=0.0)),
        ([(100.5, [STARTED])], Timings(first_progress_s=None, duration_s=0.0)),
        (
            [(100.0, [STARTED]), (101.5, [ReasoningDelta("hm")]), (104.0, [TextDelta("a")])],
            Timings(first_progress_s=1.5, duration_s=4.0),
        ),
        # The clock of who started it was a day off.
        (
            [(86_500.0, [STARTED]), (86_501.0, [TextDelta("a")])],
            Timings(first_progress_s=1.0, duration_s=1.0),
        ),
        # The log's clock was set back.
        (
            [(100.0, [STARTED]), (95.0, [TextDelta("a")])],
            Timings(first_progress_s=0.0, duration_s=0.0),
        ),
    ],
)
def test_the_timings_are_those_of_the_appends(appends, timings):
    """Since the first append, up to the last one; no progress is no time."""
    assert timings == end_lost_run(appends).timings


def test_what_the_model_had_said_of_its_end_stays():
    """The usage, and choice 0's finish reason; without them, their absence."""
    usage = Usage(output_tokens=5)
    told = [
        UsageReported(usage),
        ChoiceFinished(finish_reason="stop", raw_finish_reason="eos"),
        ChoiceFinished(finish_reason="length", raw_finish_reason="max", choice=1),
    ]
    ended = end_lost_run([(100.0, [STARTED, *told])])
    assert (usage, "stop", "eos") == (ended.usage, ended.finish_reason, ended.raw_finish_reason)
    ended = end_lost_run([(100.0, [STARTED])])
    assert (None, None, None) == (ended.usage, ended.finish_reason, ended.raw_finish_reason)
