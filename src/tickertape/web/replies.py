"""Replies as values, and the one table from errors to HTTP statuses.

Knows no framework: adapters write what they are given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from tickertape.core.errors import (
    Busy,
    CursorBeyondEnd,
    IdempotencyConflict,
    InvalidRequest,
    LogError,
    RecordsLost,
    RequestTooLarge,
    RunTrimmed,
    TickertapeError,
    UnknownRun,
)
from tickertape.wires.native import NativeFeed

JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply whose body is known."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamReply:
    """A reply whose body comes from a feed. Whoever gets it closes the feed.

    When the feed raises an error of ours, its reader is broken off without an end,
    and resumes; the error goes to `note`, and nobody else tells of it.
    """

    feed: NativeFeed
    headers: dict[str, str]
    note: Callable[[TickertapeError], None]
    status: int = 200


def json_reply(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Return the value as JSON, never to be cached."""
    return Reply(
        status,
        value if isinstance(value, bytes) else msgspec.json.encode(value),
        {"content-type": JSON, "cache-control": "no-store", **(headers or {})},
    )


# The first line that fits counts. What is in no line is our own fault: 500.
_STATUSES: Final[tuple[tuple[type[TickertapeError], int, str], ...]] = (
    (IdempotencyConflict, 409, "idempotency_conflict"),
    (RequestTooLarge, 413, "too_large"),
    (InvalidRequest, 400, "invalid_request"),
    (UnknownRun, 404, "unknown_run"),
    (RunTrimmed, 410, "run_trimmed"),
    (RecordsLost, 409, "records_lost"),
    (CursorBeyondEnd, 400, "cursor_beyond_end"),
    (RecordsLost, 409, "records_lost"),
    (Busy, 503, "busy"),
    (LogError, 503, "log_unavailable"),
)


def error_reply(error: TickertapeError) -> Reply:
    """Return what a caller may know of the error: `{"error": {"code", "message", "param"}}`."""
    status, code = next(
        ((status, code) for kind, status, code in _STATUSES if isinstance(error, kind)),
        (500, "internal"),
    )
    if status == 500:
        return refuse(status, code, "something went wrong on the server")
    # A log that can't be reached says so with names of hosts in it: not for readers (P10).
    message = "the log can't be reached now; try again" if code == "log_unavailable" else str(error)
    retry_after_s = getattr(error, "retry_after_s", 1.0 if code == "log_unavailable" else None)
    headers = {} if retry_after_s is None else {"retry-after": str(math.ceil(retry_after_s))}
    return refuse(status, code, message, param=getattr(error, "param", None), headers=headers)


def refuse(
    status: int,
    code: str,
    message: str,
    *,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """Return an error in the one form that errors have."""
    error = {"code": code, "message": message, "param": param}
    # The OpenAI clients try a 409 again unless told not to.
    final = {"x-should-retry": "false"} if status == 409 else {}
    return json_reply({"error": error}, status=status, headers={**final, **(headers or {})})
