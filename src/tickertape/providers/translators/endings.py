"""How a provider's stream ends when it ends badly, in our own words.

A `RunError`'s message is shown to readers, so it never repeats what the provider
said (P10): that goes to `detail`, for operators, cut to a bound. Knows the error
bodies of OpenAI-like providers; knows no protocol.

`is_retryable` says whether the same request may succeed when it is sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from tickertape.core.events import ErrorCode, RunError
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators.json_text import read_json

MAX_DETAIL_CHARS: Final = 2_000

_MESSAGES: Final[dict[ErrorCode, str]] = {
    "truncated": "The answer broke off: the provider's stream stopped before its end.",
    "malformed": "The provider sent something that could not be read.",
    "too_large": "The provider sent more in one piece than this server accepts.",
    "rate_limited": "The provider takes no more requests for now. Try again later.",
    "content_blocked": "The provider's content filter stopped the answer.",
    "provider_failed": "The provider reported an error while it was answering.",
}

# Matched against an error's code, type and status, in lower case and joined by
# blanks. The first that is found decides; what none matches is the provider's
# own fault, since it had accepted the request when it began to stream.
_CLASSES: Final[tuple[tuple[re.Pattern[str], ErrorCode, bool], ...]] = (
    (
        re.compile(r"content_?filter|_policy|responsibleaipolicy|content_blocked"),
        "content_blocked",
        False,
    ),
    # Out of money: it reads as a rate limit, but waiting does not help.
    (re.compile(r"insufficient_?quota|billing|\b402\b"), "rate_limited", False),
    (
        re.compile(r"rate_?limit|too_?many_?requests|quota|throttl|\b429\b"),
        "rate_limited",
        True,
    ),
    (
        re.compile(r"\b5\d\d\b|server|internal|overload|unavailable|time_?out|\b408\b|\b409\b"),
        "provider_failed",
        True,
    ),
    (
        re.compile(
            r"\b4\d\d\b|invalid|bad_?request|context_|authenti|permission|forbidden|not_?found"
            r"|unsupported|image_|data_residency"
        ),
        "provider_failed",
        False,
    ),
)


def truncated(detail: str) -> StreamEnd:
    """Return the end of a stream that stopped early.

    Retryable: nothing says that the request was at fault, and what cuts a
    stream (a proxy, a restart, a crash) passes.
    """
    return _end("truncated", detail, is_retryable=True)


def malformed(detail: str) -> StreamEnd:
    """Return the end of a stream that broke its format. It would most likely do so again."""
    return _end("malformed", detail, is_retryable=False)


def too_large(detail: str) -> StreamEnd:
    """Return the end of a stream that went over a limit of ours."""
    return _end("too_large", detail, is_retryable=False)


def cancelled_there(detail: str) -> StreamEnd:
    """Return the end of an answer that somebody else cancelled at the provider."""
    return _end(
        "provider_failed", detail, is_retryable=True, message="The answer was cancelled elsewhere."
    )


def provider_error(error: object) -> StreamEnd:
    """Return the end that an error in the stream makes: an error object, or a text."""
    code: ErrorCode = "provider_failed"
    is_retryable = True
    words = " ".join(_words(error)).lower()
    for pattern, code_then, is_retryable_then in _CLASSES:
        if pattern.search(words):
            code, is_retryable = code_then, is_retryable_then
            break
    return _end(code, _text(error), is_retryable=is_retryable)


def error_body(data: str) -> object:
    """Return what an `event: error` says: nested in `error`, flat, or plain text."""
    try:
        body = read_json(data)
    except ValueError:
        return data
    return (body.get("error") or body) if isinstance(body, dict) else data


def _words(error: object) -> Iterator[str]:
    """Give the machine-readable words of an error body; never its message."""
    for body in (error, error.get("innererror") if isinstance(error, dict) else None):
        if isinstance(body, dict):
            for name in ("code", "type", "status"):
                word = body.get(name)
                if isinstance(word, str | int):
                    yield str(word)


def _text(error: object) -> str:
    if isinstance(error, str):
        return error
    try:
        return msgspec.json.encode(error).decode()
    except RecursionError:
        return "an error object, nested too deeply to be shown"


def _end(
    code: ErrorCode, detail: str, *, is_retryable: bool, message: str | None = None
) -> StreamEnd:
    error = RunError(code=code, message=message or _MESSAGES[code], is_retryable=is_retryable)
    return StreamEnd(error, detail[:MAX_DETAIL_CHARS])
