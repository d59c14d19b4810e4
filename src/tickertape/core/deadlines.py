"""How long a run may take, and which deadline comes next.

Pure: times are passed in. Whoever acts on a deadline keeps the clock.
Connecting has its own limit, where connections are opened.
"""

from __future__ import annotations

from msgspec import Struct

from tickertape.core.errors import ConfigurationError
from tickertape.core.events import ErrorCode, RunError


class Deadlines(Struct, frozen=True, kw_only=True):
    """Limits in seconds. Progress is a delta: heartbeats and annotations are none."""

    first_progress_timeout_s: float = 120.0
    """From the start of the run to its first delta. Models that think in silence need minutes."""
    stall_timeout_s: float = 60.0
    """From one delta to the next."""
    finish_timeout_s: float = 10.0
    """From the model's finish reason to the end of its stream. The answer is whole by then."""
    run_timeout_s: float = 900.0
    """The whole run."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not value > 0:
                raise ConfigurationError(f"{name} must be more than 0 seconds, not {value!r}")


class Progress(Struct):
    """How far a provider call has come. Times are in seconds on one monotonic clock."""

    started_at_s: float
    first_at_s: float | None = None
    """When the first delta came."""
    latest_at_s: float | None = None
    """When the latest delta came."""
    finished_at_s: float | None = None
    """When the last choice got its finish reason."""

    def excuse(self, *, pause_s: float) -> None:
        """Take a pause out of the silence: nobody was listening."""
        if self.latest_at_s is not None:
            self.latest_at_s += pause_s
        if self.finished_at_s is not None:
            self.finished_at_s += pause_s


class Deadline(Struct, frozen=True):
    """A moment, and what it means when it passes."""

    at_s: float
    error: RunError


def next_deadline(limits: Deadlines, progress: Progress) -> Deadline:
    """Return the deadline that passes first if nothing more happens."""
    if progress.finished_at_s is not None:
        waits_since_s, limit_s = progress.finished_at_s, limits.finish_timeout_s
    elif progress.latest_at_s is not None:
        waits_since_s, limit_s = progress.latest_at_s, limits.stall_timeout_s
    else:
        waits_since_s, limit_s = progress.started_at_s, limits.first_progress_timeout_s
    run_ends_at_s = progress.started_at_s + limits.run_timeout_s
    if run_ends_at_s <= waits_since_s + limit_s:
        return Deadline(
            run_ends_at_s, _error("timed_out", f"took longer than {limits.run_timeout_s:g} s")
        )
    return Deadline(waits_since_s + limit_s, _error("stalled", f"sent nothing for {limit_s:g} s"))


def _error(code: ErrorCode, what: str) -> RunError:
    return RunError(code=code, message=f"The model {what}. Try again.", is_retryable=True)
