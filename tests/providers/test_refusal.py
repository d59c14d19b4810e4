"""What a provider's refusal means."""

from __future__ import annotations

import msgspec
import pytest
from multidict import CIMultiDict

from tickertape.providers.refusal import error_of_response, redact, retry_after_s


def error_of(status, error=None, *, headers=()):
    body = msgspec.json.encode({"error": error}) if error is not None else b""
    return error_of_response(status, headers=CIMultiDict(headers), body=body)


@pytest.mark.parametrize(
    ("status", "code", "is_retryable"),
    [
        (301, "provider_rejected", False),
        (400, "provider_rejected", False),
        (401, "provider_rejected", False),
        (402, "provider_rejected", False),
        (403, "provider_rejected", False),
        (404, "provider_rejected", False),
        (405, "provider_rejected", False),
        (408, "provider_failed", True),
        (409, "provider_failed", True),
        (413, "too_large", False),
        (422, "provider_rejected", False),
        (429, "rate_limited", True),
        (500, "provider_failed", True),
        (503, "provider_failed", True),
        (529, "provider_failed", True),
    ],
)
def test_a_status_has_one_meaning(status, code, is_retryable):
    """The table from status to code, and whether trying again may help."""
    error = error_of(status)
    assert (code, is_retryable, status) == (error.code, error.is_retryable, error.status)
    assert f"({status})" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter", "message": "filtered"},
        {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}},
    ],
)
def test_a_blocked_prompt_is_told_apart(error):
    """Azure's filter answers 400 as bad input does, and is not bad input."""
    assert error_of(400, error).code == "content_blocked"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"code": "context_length_exceeded"}, "send less"),
        (
            {"type": "exceed_context_size_error", "n_prompt_tokens": 9031, "n_ctx": 4096},
            "it is 9031 tokens long, and the model takes 4096",
        ),
    ],
)
def test_a_conversation_that_is_too_long_is_told_apart(error, words):
    """OpenAI's code and llama.cpp's type both mean `too_large`; numbers are shown."""
    refused = error_of(400, error)
    assert refused.code == "too_large"
    assert words in str(refused)


def test_an_empty_account_is_not_worth_retrying():
    """A 429 for lack of quota won't go away by waiting."""
    refused = error_of(429, {"code": "insufficient_quota"})
    assert ("rate_limited", False) == (refused.code, refused.is_retryable)


@pytest.mark.parametrize(("said", "is_retryable"), [("true", True), ("false", False)])
def test_the_provider_may_say_whether_to_retry(said, is_retryable):
    """`x-should-retry` overrules the table."""
    for status in (400, 500):
        refused = error_of(status, headers={"X-Should-Retry": said})
        assert is_retryable == refused.is_retryable


def test_an_error_that_comes_with_200_is_an_error():
    """Some gateways put the real status into the body."""
    assert error_of(200, {"code": 429, "message": "slow down"}).code == "rate_limited"
    assert error_of(200, {"message": "no"}).code == "provider_failed"
    assert error_of(200, "no").code == "provider_failed"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"\xff\xfe", b"[]", b'{"error":null}', b'{"error":{"code":{}}}', b'"x"'],
)
def test_any_body_gives_an_error(body):
    """A body that is no JSON, or odd JSON, changes nothing about the status."""
    assert error_of_response(503, headers={}, body=body).code == "provider_failed"


def test_p10_the_message_is_ours_and_the_detail_theirs():
    """What the provider says is cut, kept for operators, and never in the message."""
    refused = error_of(400, {"code": "odd", "message": "tenant Contoso " + "x" * 5000})
    assert "Contoso" not in str(refused)
    assert "Contoso" in refused.detail
    assert len(refused.detail) == 2000


def test_p10_a_key_at_the_cut_is_blotted_out_first():
    """No part of a key is left where the detail is cut."""
    body = b"x" * 1995 + b"sk-secret"
    refused = error_of_response(500, headers={}, body=body, secrets=["sk-secret"])
    assert "sk" not in refused.detail


def test_p10_a_media_type_that_is_none_is_not_shown():
    """A header is the provider's word: only what looks like a media type gets through."""
    refused = error_of_response(200, headers={}, body=b"", content_type="<script>alert(1)")
    assert "script" not in str(refused)
    assert refused.code == "malformed"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"Retry-After": "7", "Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After": "7", "retry-after-ms": "soon"}, 7.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        (
            {
                "Date": "Mon, 23 Nov 2026 10:00:00 GMT",
                "Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT",
            },
            30.0,
        ),
        (
            {
                "Date": "Mon, 23 Nov 2026 10:00:30 GMT",
                "Retry-After": "Mon, 23 Nov 2026 10:00:00 GMT",
            },
            0.0,
        ),
        ({"Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT"}, None),
        ({"Date": "today", "Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT"}, None),
        (
            {"Date": "Mon, 23 Nov 2026 10:00:00", "Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT"},
            None,
        ),
    ],
)
def test_retry_after_is_read_in_every_form(headers, expected):
    """Milliseconds before seconds before a date, and nothing from what makes no sense."""
    assert expected == retry_after_s(CIMultiDict(headers))


def test_an_empty_secret_blots_out_nothing():
    """An empty key does not turn every character into a blot."""
    assert redact("text", ["", "t"]) == "[redacted]ex[redacted]"
