"""What chunks of both kinds mean. The dialects are covered by the vectors of both APIs."""

from __future__ import annotations

import sys

from tickertape.core.events import ChoiceFinished, Event, TextDelta, Usage, UsageReported
from tickertape.providers.translators.completion_chunk import decode_chunk
from tickertape.providers.translators.completions import CompletionAnswer


def test_a_chunk_gives_events_and_the_error_it_tells_of():
    """What the chunk brings is added before its error is returned."""
    events: list[Event] = []
    chunk = decode_chunk('{"error":{"code":1},"choices":[{"text":"a"}],"usage":{"total_tokens":1}}')

    assert {"code": 1} == CompletionAnswer().take(chunk, events)
    assert [TextDelta("a"), UsageReported(Usage(total_tokens=1))] == events


def test_choices_are_counted_when_they_finish():
    """A choice that has begun is known; it counts once it has its finish reason."""
    answer, events = CompletionAnswer(), list[Event]()
    answer.take(decode_chunk('{"choices":[{"index":1,"text":"a"}]}'), events)
    assert ([1], 0) == (list(answer.choices), answer.finished_choices)

    answer.take(decode_chunk('{"choices":[{"index":1,"finish_reason":"stop"}]}'), events)
    assert 1 == answer.finished_choices
    assert ChoiceFinished(finish_reason="stop", raw_finish_reason="stop", choice=1) == events[-1]


def test_annotations_that_are_remembered_do_not_keep_the_read_alive():
    """Only the annotations' own bytes are kept, not the chunk that they came in."""
    answer = CompletionAnswer()
    data = '{"choices":[{"content_filter_results":{"a":1}}],"x":"' + "x" * 10_000 + '"}'
    references = sys.getrefcount(data)

    answer.take(decode_chunk(data), [])

    assert b'{"a":1}' == bytes(answer.choices[0].raw_filter)
    assert references == sys.getrefcount(data)
