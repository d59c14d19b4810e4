"""What a provider's error means, in our words."""

import pytest

from tickertape.providers.translators import endings


@pytest.mark.parametrize(
    ("error", "code", "is_retryable"),
    [
        ("words", "provider_failed", True),
        ({}, "provider_failed", True),
        (True, "provider_failed", True),
        ([1], "provider_failed", True),
        ({"code": None, "type": {"x": 1}}, "provider_failed", True),
        ({"code": 500, "type": "invalid_request_error"}, "provider_failed", True),
        ({"code": 503}, "provider_failed", True),
        ({"type": "overloaded_error"}, "provider_failed", True),
        ({"code": 408}, "provider_failed", True),
        ({"code": 404}, "provider_failed", False),
        ({"code": "404"}, "provider_failed", False),
        ({"code": "context_length_exceeded"}, "provider_failed", False),
        ({"type": "BadRequestError"}, "provider_failed", False),
        ({"status": 429}, "rate_limited", True),
        ({"type": "rate_limit_error"}, "rate_limited", True),
        ({"code": "RateLimitReached"}, "rate_limited", True),
        ({"code": "too_many_requests"}, "rate_limited", True),
        ({"code": 402}, "rate_limited", False),
        ({"code": 429, "type": "insufficient_quota"}, "rate_limited", False),
        ({"code": "content_filter", "status": 400}, "content_blocked", False),
        ({"code": 400, "type": "content_policy_violation"}, "content_blocked", False),
        ({"code": "bio_policy"}, "content_blocked", False),
        ({"code": "misalignment_policy_violation"}, "content_blocked", False),
        ({"code": "image_content_policy_violation"}, "content_blocked", False),
        ({"code": "invalid_prompt"}, "provider_failed", False),
        ({"code": "image_too_large"}, "provider_failed", False),
        ({"code": "empty_image_file"}, "provider_failed", False),
        ({"code": "data_residency_mismatch"}, "provider_failed", False),
        ({"code": "failed_to_download_image"}, "provider_failed", True),
        ({"code": "vector_store_timeout"}, "provider_failed", True),
        ({"innererror": {"code": "ResponsibleAIPolicyViolation"}}, "content_blocked", False),
        ({"message": "429 rate_limit content_filter"}, "provider_failed", True),
    ],
)
def test_a_providers_error_is_classed_by_code_type_and_status(error, code, is_retryable):
    """Its message never counts: it may quote a prompt."""
    end = endings.provider_error(error)

    assert end.error is not None
    assert (code, is_retryable) == (end.error.code, end.error.is_retryable)


def test_the_detail_is_the_providers_own_words():
    """An error object as JSON, a text as it is."""
    assert '{"code":1,"message":"é"}' == endings.provider_error({"code": 1, "message": "é"}).detail
    assert "words" == endings.provider_error("words").detail


def test_every_bad_end_says_something_safe():
    """The message is a sentence of ours; what was given goes to the detail."""
    for end in (endings.truncated("X1"), endings.malformed("X1"), endings.too_large("X1")):
        assert end.error is not None
        assert "X1" not in end.error.message
        assert end.error.message.endswith(".")
        assert "X1" == end.detail


def test_who_cancelled_elsewhere_may_ask_again():
    """It failed for the reader, in words of its own, and nothing was wrong with the request."""
    error = endings.cancelled_there("X1").error
    assert ("provider_failed", True) == (error.code, error.is_retryable)
    assert "cancelled" in error.message


@pytest.mark.parametrize(
    ("data", "body"),
    [
        ('{"error":{"code":1},"x":2}', {"code": 1}),
        ('{"code":1}', {"code": 1}),
        ('{"error":null,"code":1}', {"error": None, "code": 1}),
        ('{"error":"x"}', "x"),
        ("[1]", "[1]"),
        ("overloaded", "overloaded"),
    ],
)
def test_an_error_event_is_nested_flat_or_a_text(data, body):
    """Whichever it is, its body is found."""
    assert body == endings.error_body(data)
