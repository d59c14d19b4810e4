"""What must be true after a case, whatever the way to the reader; and the case itself.

What depends on how often a failed call is made again stands in `ATTEMPTS` and
`ONE_ATTEMPT`, and nowhere else.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from tests.matrix.dialects import WORDS
from tickertape.core.deadlines import Deadlines
from tickertape.core.events import ErrorCode, FinishReason, Outcome
from tickertape.testing.answers import default_words
from tickertape.testing.fault_server import StreamError
from tickertape.testing.fault_server.exchanges import EndedBy
from tickertape.testing.scenarios import Playable

ATTEMPTS: Final = 3
"""How often a call is made that fails, in a way that may pass, before it says anything."""

ONE_ATTEMPT: Final[frozenset[ErrorCode]] = frozenset({"stalled", "timed_out"})
"""The deadlines count for all attempts together: when one has passed, no other follows."""

DEADLINES: Final = Deadlines(
    first_progress_timeout_s=5, stall_timeout_s=3, finish_timeout_s=2, run_timeout_s=60
)

MARK: Final = "the provider's own words"
"""Stands in what a provider says about a failure; no reader may see it."""

PROVIDERS_WORDS: Final = (
    MARK,
    StreamError().message,
    "triggering content management",
    "ResponsibleAIPolicyViolation",
    "502 Bad Gateway",
    "Too Many Requests",
    "Access denied",
    "Incorrect API key",
    "DeploymentNotFound",
    "model_not_found",
)

FINISHED: Final[frozenset[EndedBy]] = frozenset({"finished"})
HUNG_UP: Final[frozenset[EndedBy]] = frozenset({"hung_up"})
CUT: Final[frozenset[EndedBy]] = frozenset({"cut"})
EITHER: Final = FINISHED | HUNG_UP
"""The client leaves while the server writes: which of them is first is chance."""

RETRYABLE: Final[frozenset[ErrorCode]] = frozenset(
    {"provider_unreachable", "rate_limited", "provider_failed", "truncated", "stalled", "timed_out"}
)


class Truth(Struct, frozen=True, kw_only=True):
    """What a reader gets and is told, and what the provider saw of it."""

    text: str
    outcome: Outcome = "completed"
    code: ErrorCode | None = None
    is_retryable: bool = False
    finish_reason: FinishReason | None = None
    has_usage: bool = False
    ended_by: frozenset[EndedBy] = FINISHED
    """How each exchange went from the provider's side."""
    requests: int = 1
    """How many arrived."""
    attempts: int | None = None
    """How many were made, where some never arrived."""
    lasts_s: float | None = None
    """How long the run takes, in virtual time; None: it does not matter."""
    status: int | None = None
    """What the provider answered with; None: it does not matter."""


class CutAfter(Struct, frozen=True):
    """The truth is what the whole events say that stand in the body's first bytes."""

    body_bytes: int
    code: ErrorCode = "truncated"
    """What it is called where the answer was not whole."""
    ended_by: frozenset[EndedBy] = CUT


Facts: TypeAlias = Truth | CutAfter
Address: TypeAlias = Literal["server", "nobody", "mute", "mute with TLS"]


class Case(Struct, frozen=True, kw_only=True):
    """One row of the matrix, for one dialect: what a provider does, and the truth about it."""

    name: str
    turns: tuple[Playable, ...]
    truth: Facts
    prompt: str = "Hi"
    n: int = 1
    server: dict[str, Any] = {}
    """How the fault server is set up."""
    address: Address = "server"
    """Who is called. A mute one accepts connections, and never says a word."""
    bug: str = ""
    """Why this does not hold yet. Strict: a case that holds again is an error, too."""


def case(name: str, play: Playable, truth: Facts, **more: Any) -> Case:
    """Return a case in which every request gets the same."""
    return Case(name=name, turns=(play,), truth=truth, **more)


def words(count: int, *, first: int = 0) -> str:
    """Return some words of the default answer, as one text."""
    return "".join(default_words(WORDS)[first : first + count])


def whole(**changes: Any) -> Truth:
    """Return the truth of a good answer, with these differences."""
    good: dict[str, Any] = {"text": words(WORDS), "finish_reason": "stop", "has_usage": True}
    return Truth(**(good | changes))


def failed(code: ErrorCode, text: str = "", **facts: Any) -> Truth:
    """Return the truth of a failure, after this text."""
    may_pass = facts.setdefault("is_retryable", code in RETRYABLE)
    is_silent = not (text or facts.get("finish_reason"))
    is_repeated = may_pass and is_silent and code not in ONE_ATTEMPT
    facts.setdefault("requests", ATTEMPTS if is_repeated else 1)
    return Truth(text=text, outcome="failed", code=code, **facts)
