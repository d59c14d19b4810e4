"""How a run ends whose writer can't end it: from what the log holds of it.

Pure: whoever finds such a run reads its events and appends what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tickertape.core.events import (
    CancelledBy,
    ChoiceFinished,
    Event,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunError,
    TextDelta,
    Timings,
    ToolCallDelta,
    Usage,
    UsageReported,
)

PRODUCER_LOST: Final = RunError(
    code="producer_lost",
    message="The server that was writing this answer stopped. Ask again.",
    is_retryable=True,
)

_PROGRESS: Final = (TextDelta, ReasoningDelta, RefusalDelta, ToolCallDelta)


def end_lost_run(
    appends: Iterable[tuple[float, Sequence[Event]]],
    *,
    error: RunError = PRODUCER_LOST,
    cancelled_by: CancelledBy | None = None,
) -> RunEnded:
    """Return the end of the run with these appends: when each was made, and its events.

    It failed with `error`; where somebody had asked to cancel it, it was cancelled by
    them. The timings are those of the log, from its first append: the run lasted until its
    last append at least, and the clock of who started it may have been a day off.
    """
    length = 0
    usage: Usage | None = None
    finished: ChoiceFinished | None = None
    started_at = first_at = last_at = None
    for last_at, events in appends:
        if started_at is None:
            started_at = last_at
        for event in events:
            if isinstance(event, _PROGRESS) and first_at is None:
                first_at = last_at
            match event:
                case TextDelta():
                    length += len(event.text)
                case UsageReported():
                    usage = event.usage
                case ChoiceFinished(choice=0):
                    finished = event
                case _:
                    pass
    return RunEnded(
        outcome="cancelled" if cancelled_by else "failed",
        length=length,
        timings=Timings(
            first_progress_s=_since(started_at, first_at),
            duration_s=_since(started_at, last_at) or 0.0,
        ),
        finish_reason=finished.finish_reason if finished else None,
        raw_finish_reason=finished.raw_finish_reason if finished else None,
        usage=usage,
        error=None if cancelled_by else error,
        cancelled_by=cancelled_by,
    )


def _since(start: float | None, end: float | None) -> float | None:
    # The clock may have been set back in between.
    return None if start is None or end is None else max(0.0, round(end - start, 6))
