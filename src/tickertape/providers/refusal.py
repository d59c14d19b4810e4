"""What a provider's refusal means: status, headers and body → ProviderError.

Pure: opens nothing and reads no clock. The message is always our own sentence,
safe for a reader; the provider's words go into `detail` (P10).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from tickertape.core.errors import ProviderError
from tickertape.core.events import ErrorCode

DETAIL_CHARS: Final = 2_000
"""How much of a provider's own words is kept."""

REDACTED: Final = "[redacted]"

# What the provider may have, besides the status, to say that the prompt is too long:
# OpenAI's and Azure's code, and llama.cpp's type.
_TOO_LONG: Final = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_FILTERED: Final = frozenset({"content_filter", "ResponsibleAIPolicyViolation"})

_Meaning = tuple[ErrorCode, str, bool]

_MEANINGS: Final[dict[int, _Meaning]] = {
    400: ("provider_rejected", "found the request invalid; check its settings", False),
    401: ("provider_rejected", "did not accept the key; check key and endpoint", False),
    402: ("provider_rejected", "wants to be paid first; check the account", False),
    403: ("provider_rejected", "does not allow this; check the key's rights, and firewalls", False),
    404: ("provider_rejected", "has no such model or address; check endpoint and model", False),
    408: ("provider_failed", "waited too long for the request; try again", True),
    409: ("provider_failed", "is busy with a conflicting request; try again", True),
    413: ("too_large", "takes no request as large as this; send less", False),
    422: ("provider_rejected", "found the request invalid; check its settings", False),
    429: ("rate_limited", "has had too many requests; try again later", True),
    503: ("provider_failed", "is overloaded or down; try again later", True),
}
_REDIRECT: Final[_Meaning] = (
    "provider_rejected",
    "answered with a redirect, which is not followed, to keep the key here; check the endpoint",
    False,
)
_OTHER_REFUSAL: Final[_Meaning] = ("provider_rejected", "refused the request", False)
_OTHER_FAILURE: Final[_Meaning] = ("provider_failed", "failed; try again", True)


def error_of_response(
    status: int,
    *,
    headers: Mapping[str, str],
    body: bytes,
    content_type: str = "",
    secrets: Sequence[str] = (),
) -> ProviderError:
    """Return the error that a response means which is not a stream of events.

    `headers` are looked up by their usual names, so the mapping should ignore
    case. What of `secrets` stands in the body is blotted out.
    """
    error = _error_object(body)
    if 200 <= status < 300:
        if error is None:
            return _not_events(content_type, body=body, secrets=secrets)
        status = _status_within(error) or 500  # some gateways send their errors with 200
    code, message, is_retryable = _meaning(status, error or {})
    return ProviderError(
        code,
        f"the provider {message} ({status})",
        detail=redact(body.decode("utf-8", "replace"), secrets)[:DETAIL_CHARS],
        status=status,
        retry_after_s=retry_after_s(headers),
        is_retryable=_should_retry(headers, default=is_retryable),
    )


def reworded(error: ProviderError, message: str) -> ProviderError:
    """Return the error with a message from somebody who knows more."""
    return ProviderError(
        error.code,
        message,
        detail=error.detail,
        status=error.status,
        retry_after_s=error.retry_after_s,
        is_retryable=error.is_retryable,
    )


def redact(text: str, secrets: Sequence[str]) -> str:
    """Return the text with every secret in it blotted out."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    return text


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long the provider asks us to wait; None where it says nothing usable.

    `retry-after-ms` (Azure) is finer than `Retry-After`, which is seconds, or a
    date. A date counts from the response's own `Date`, so no clock is needed.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("Retry-After")
    seconds = _seconds(value)
    if seconds is not None or value is None:
        return seconds
    try:
        until = parsedate_to_datetime(value) - parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError, TypeError):  # TypeError: one date with a zone, one without
        return None
    return max(0.0, until.total_seconds())


def _seconds(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _meaning(status: int, error: Mapping[str, object]) -> _Meaning:
    words = _words(error)
    if words & _FILTERED:
        return "content_blocked", "did not answer: its content filter blocked the prompt", False
    if words & _TOO_LONG:
        return "too_large", f"can't take so long a conversation{_lengths(error)}; send less", False
    if "insufficient_quota" in words:
        return "rate_limited", "has no quota left for this account; waiting won't help", False
    if status in _MEANINGS:
        return _MEANINGS[status]
    if 300 <= status < 400:
        return _REDIRECT
    return _OTHER_FAILURE if status >= 500 else _OTHER_REFUSAL


def _words(error: Mapping[str, object]) -> set[object]:
    """Return the short words by which an error may name its kind."""
    inner = error.get("innererror")
    words = [error.get("code"), error.get("type")]
    if isinstance(inner, dict):
        words.append(inner.get("code"))
    return {word for word in words if isinstance(word, str)}


def _lengths(error: Mapping[str, object]) -> str:
    """Return llama.cpp's figures, which are numbers and so safe to show."""
    has, takes = error.get("n_prompt_tokens"), error.get("n_ctx")
    if not (isinstance(has, int) and isinstance(takes, int)):
        return ""
    return f": it is {has} tokens long, and the model takes {takes}"


def _error_object(body: bytes) -> Mapping[str, object] | None:
    """Return the `error` of a JSON body; None where there is none."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else None


def _status_within(error: Mapping[str, object]) -> int | None:
    code = error.get("code")
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _should_retry(headers: Mapping[str, str], *, default: bool) -> bool:
    """Let the provider overrule the table, as the official SDKs do."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""), default)


def _not_events(content_type: str, *, body: bytes, secrets: Sequence[str]) -> ProviderError:
    # A header is the provider's word too: only what looks like a media type is shown.
    is_shown = re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,40}", content_type, re.ASCII) is not None
    kind = content_type if is_shown else "something else"
    return ProviderError(
        "malformed",
        f"the provider answered with {kind} and not with a stream of events; check the endpoint",
        detail=redact(body.decode("utf-8", "replace"), secrets)[:DETAIL_CHARS],
        status=200,
    )
