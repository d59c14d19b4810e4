"""Which deadline comes next, as values."""

from __future__ import annotations

import pytest

from tickertape.core.deadlines import Deadlines, Progress, next_deadline
from tickertape.core.errors import ConfigurationError

LIMITS = Deadlines(
    first_progress_timeout_s=10, stall_timeout_s=5, finish_timeout_s=2, run_timeout_s=60
)


@pytest.mark.parametrize(
    ("progress", "at_s", "code"),
    [
        (Progress(100), 110, "stalled"),
        (Progress(100, first_at_s=103, latest_at_s=103), 108, "stalled"),
        (Progress(100, first_at_s=103, latest_at_s=120), 125, "stalled"),
        (Progress(100, first_at_s=103, latest_at_s=120, finished_at_s=121), 123, "stalled"),
        (Progress(100, first_at_s=103, latest_at_s=158), 160, "timed_out"),
        (Progress(100, first_at_s=103, latest_at_s=155), 160, "timed_out"),
    ],
    ids=["nothing yet", "first delta", "later delta", "finished", "end of run", "both at once"],
)
def test_the_earliest_deadline_counts(progress, at_s, code):
    """Each stage of a run has its own limit, and the whole run has one over all."""
    deadline = next_deadline(LIMITS, progress)
    assert (at_s, code) == (deadline.at_s, deadline.error.code)
    assert deadline.error.is_retryable


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_is_none_is_refused(value):
    """The message names the limit and the value."""
    with pytest.raises(ConfigurationError, match=f"stall_timeout_s .* not {value!r}"):
        Deadlines(stall_timeout_s=value)


def test_a_pause_of_the_caller_is_taken_out_of_the_silence():
    """Only where silence has begun to count."""
    progress = Progress(100)
    progress.excuse(pause_s=50)
    assert Progress(100) == progress
    progress = Progress(100, first_at_s=110, latest_at_s=120, finished_at_s=130)
    progress.excuse(pause_s=5)
    assert Progress(100, first_at_s=110, latest_at_s=125, finished_at_s=135) == progress
