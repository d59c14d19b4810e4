"""What every translator has in common: one end, and limits."""

from __future__ import annotations

import pytest

from tickertape.core.events import TextDelta
from tickertape.providers.translators import endings
from tickertape.providers.translators.event_stream import PROPER_END, EventStreamTranslator


class Shouts(EventStreamTranslator):
    """Takes each event's data for text; `END` ends it."""

    def _take(self, sent, events):
        for each in sent:
            if each.data == "END":
                return PROPER_END
            events.append(TextDelta(each.data))
        return None

    def _take_end_of_file(self):
        return endings.truncated("end of file")

    def _flush(self, events):
        events.append(TextDelta("flushed"))


def test_what_was_held_back_comes_with_the_end():
    """Once, in the same list as what the last read brought."""
    translator = Shouts()
    assert [TextDelta("a"), TextDelta("flushed")] == translator.feed(b"data: a\n\ndata: END\n\n")
    assert [] == translator.feed(b"data: b\n\n")
    assert [] == translator.close()
    assert PROPER_END is translator.end


def test_an_end_of_file_is_judged_by_the_protocol():
    """What it means is told by the translator itself."""
    translator = Shouts()
    assert [] == translator.feed(b"data: a\n")
    assert [TextDelta("flushed")] == translator.close()
    assert "truncated" == translator.end.error.code


@pytest.mark.parametrize("size", [19, 20])
def test_an_event_over_the_limit_ends_the_stream(size):
    """The events before it in the same read count; an end of file asks for the error, too."""
    translator = Shouts(max_event_bytes=19)
    events = translator.feed(b"data: a\n\n" + b"data: " + b"x" * (size - 6))
    events += translator.close()
    assert [TextDelta("a"), TextDelta("flushed")] == events
    assert ("too_large" if size > 19 else "truncated") == translator.end.error.code
