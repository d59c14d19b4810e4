"""The vocabulary: what can happen in a run, as a closed union of values.

Pure values without a position; `record.Record` adds the offset. How they are
stored is `codec`'s business, in which order they may come is `run_state`'s.

They are msgspec structs, not dataclasses: one of these is made for every
token, and a frozen dataclass costs seven times as much to make.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Outcome: TypeAlias = Literal["completed", "failed", "cancelled"]
"""How the run ended."""

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "other"]
"""Why the model stopped."""

CancelledBy: TypeAlias = Literal["user", "abandoned", "shutdown"]

ErrorCode: TypeAlias = Literal[
    "provider_unreachable",  # no connection, or it broke before the first byte
    "provider_rejected",  # it refused the request: wrong key, unknown deployment, bad input
    "rate_limited",
    "content_blocked",  # its filter refused the prompt
    "provider_failed",  # it said so, in an answer or in mid-stream
    "truncated",  # end of file, or a reset, without an end
    "malformed",  # not the format it promised
    "stalled",  # no progress within the deadline
    "timed_out",  # the whole run took too long
    "producer_lost",  # the process that produced it died
    "too_large",  # more than a limit allows, ours or the model's
    "internal",  # our own fault
]


class RunError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a run failed, in words that are safe to show to a reader."""

    code: ErrorCode
    message: str
    is_retryable: bool = False


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the provider will bill, in its tokens. None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None


class Timings(Struct, frozen=True, kw_only=True):
    """How long it took, in seconds since the run was started."""

    first_progress_s: float | None
    """Until the first delta; None when there was none."""
    duration_s: float


class RunStarted(Struct, frozen=True, kw_only=True, tag="run_started", gc=False):
    """The run exists. Always the first event."""

    run_id: str
    model: str
    provider: str
    created_at: float
    """UTC, seconds since the epoch."""


class AttemptEnded(Struct, frozen=True, kw_only=True, tag="attempt_ended", omit_defaults=True):
    """One attempt to get an answer is over, where it took more than one.

    Attempts come before the first delta: after it, nothing is tried again.
    """

    provider: str
    model: str
    result: Literal["chosen", "failed", "outrun"]
    """`outrun`: another one spoke first."""
    begun_s: float
    """Seconds since the run was started."""
    ended_s: float
    error: RunError | None = None
    """Present exactly when `result` is `failed`."""
    usage: Usage | None = None
    """What a failed attempt will be billed; None: the provider reported nothing."""


class AnswerStored(Struct, frozen=True, kw_only=True, tag="answer_stored", gc=False):
    """The provider stores the answer under a name: another process can go on with it.

    For writers only; no wire shows it. A later one replaces an earlier one.
    """

    provider: str
    model: str
    response_id: str


class TextDelta(Struct, frozen=True, tag="text_delta", omit_defaults=True, gc=False):
    """More of the answer."""

    text: str
    choice: int = 0


class ReasoningDelta(Struct, frozen=True, tag="reasoning_delta", omit_defaults=True, gc=False):
    """More of what the model thinks aloud before it answers."""

    text: str
    choice: int = 0


class RefusalDelta(Struct, frozen=True, tag="refusal_delta", omit_defaults=True, gc=False):
    """More of the model's refusal, which comes in place of an answer."""

    text: str
    choice: int = 0


class ToolCallDelta(Struct, frozen=True, kw_only=True, tag="tool_call_delta", omit_defaults=True):
    """More of one tool call. The first one of a call brings its id and name."""

    index: int
    """Which of the choice's calls this is."""
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    """A fragment of the arguments' JSON; not valid JSON by itself."""
    choice: int = 0


class FilterReported(Struct, frozen=True, kw_only=True, tag="filter_reported", omit_defaults=True):
    """What a content filter found, in the provider's own form."""

    subject: Literal["prompt", "completion"]
    annotations: dict[str, object]
    choice: int | None = None
    """None when it is about the prompt, or the provider did not say."""


class UsageReported(Struct, frozen=True, tag="usage_reported"):
    """What the provider will bill. A later report replaces an earlier one."""

    usage: Usage


class ChoiceFinished(Struct, frozen=True, kw_only=True, tag="choice_finished", omit_defaults=True):
    """The model stopped one choice. A later one (a filter's) replaces it."""

    finish_reason: FinishReason
    raw_finish_reason: str
    """The provider's own word."""
    choice: int = 0


class RunEnded(Struct, frozen=True, kw_only=True, tag="run_ended", omit_defaults=True):
    """The run is over. Always the last event, exactly once."""

    outcome: Outcome
    length: int
    """All answer text of the run, in Unicode code points (not UTF-16 units)."""
    timings: Timings
    finish_reason: FinishReason | None = None
    """Choice 0's; None where the model gave none."""
    raw_finish_reason: str | None = None
    usage: Usage | None = None
    """None: the provider reported none before the end."""
    error: RunError | None = None
    """Present exactly when `outcome` is `failed`."""
    cancelled_by: CancelledBy | None = None
    """Present exactly when `outcome` is `cancelled`."""


class UnknownEvent(Struct, frozen=True):
    """An event from a newer version: kept as it is, passed on, never an exception."""

    kind: str
    json: bytes


Delta: TypeAlias = TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta
Event: TypeAlias = (
    RunStarted
    | AttemptEnded
    | AnswerStored
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallDelta
    | FilterReported
    | UsageReported
    | ChoiceFinished
    | RunEnded
    | UnknownEvent
)
