"""What events mean, told once. The quirks are covered by the vectors of `responses`."""

from __future__ import annotations

import pytest

from tickertape.core.events import Event, FilterReported, TextDelta, Usage, UsageReported
from tickertape.providers.translators.response_answer import ResponseAnswer, usage_of
from tickertape.providers.translators.response_event import decode_event


def test_the_open_text_is_where_the_latest_piece_went():
    """The short cut goes on from there; without an index there is no such place."""
    answer, events = ResponseAnswer(), list[Event]()
    answer.take(decode_event('{"type":"response.output_text.delta","delta":"a"}'), events)
    assert answer.open_place[0] is None
    answer.take(
        decode_event('{"type":"response.output_text.delta","delta":"b","output_index":2}'), events
    )
    assert answer.open_place == (2, None)
    assert "b" == answer.open_text.passed_on
    assert [TextDelta("a"), TextDelta("b")] == events


def test_filters_are_reported_where_they_change():
    """Every response object has all of them; what was reported is not, again."""
    answer, events = ResponseAnswer(), list[Event]()
    prompt = {"source_type": "prompt", "content_filter_results": {"a": 1}}
    answer.take_filters({"content_filters": [prompt]}, events)
    answer.take_filters({"content_filters": None}, events)
    answer.take_filters({"content_filters": [prompt, {"content_filter_results": {"b": 1}}]}, events)
    assert [
        FilterReported(subject="prompt", annotations={"a": 1}),
        FilterReported(subject="completion", annotations={"b": 1}, choice=0),
    ] == events


@pytest.mark.parametrize("usage", [None, 7, {}, {"input_tokens": "9"}])
def test_no_usage_is_none(usage):
    """Nothing is reported where nothing is said."""
    assert usage_of({"usage": usage}) is None


def test_usage_has_its_names_there():
    """Counts and their details."""
    counts = {
        "input_tokens": 1,
        "output_tokens": 2,
        "total_tokens": 3,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 5},
    }
    assert UsageReported(
        Usage(
            input_tokens=1,
            output_tokens=2,
            total_tokens=3,
            cached_input_tokens=4,
            reasoning_tokens=5,
        )
    ) == usage_of({"usage": counts})
