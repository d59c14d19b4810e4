"""The plain completions translator: bytes in any split → events and an end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.streams import (
    DONE,
    body_of,
    byte_by_byte,
    check,
    ending,
    in_two_at_every_place,
    mutated_streams,
    stored,
    translate,
    vectors_of,
    whole,
)
from tickertape.core.events import TextDelta
from tickertape.providers.base import StreamEnd
from tickertape.providers.translators.choice_stream import EndPolicy
from tickertape.providers.translators.completions import CompletionsTranslator

VECTORS = vectors_of("completions")


def translator_for(vector: dict[str, Any]) -> CompletionsTranslator:
    settings_of = {
        name: vector[name] for name in ("expected_choices", "max_event_bytes") if name in vector
    }
    return CompletionsTranslator(end_policy=EndPolicy(vector["end_policy"]), **settings_of)


@pytest.mark.parametrize("split", [whole, byte_by_byte, in_two_at_every_place])
@pytest.mark.parametrize("name", VECTORS)
def test_any_split_gives_the_events_and_the_end_of_the_vector(name, split):
    """However the bytes arrive, events and end are those of the vector."""
    vector = VECTORS[name]
    for chunks in split(body_of(vector)):
        events, end = translate(translator_for(vector), chunks)

        assert vector["events"] == stored(events)
        assert vector["end"] == ending(end)


def chunk(text: object, **choice: object) -> bytes:
    body = {"object": "text_completion", "choices": [{"index": 0, "text": text, **choice}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def test_a_read_gives_its_events_at_once():
    """Nothing waits for the next read: each token is an event as soon as it is whole."""
    translator = CompletionsTranslator()

    assert [TextDelta("a")] == translator.feed(chunk("a"))
    assert [TextDelta("b"), TextDelta("c")] == translator.feed(chunk("b") + chunk("c"))
    assert [] == translator.feed(chunk("d")[:-1])
    assert [TextDelta("d")] == translator.feed(b"\n")


def test_p2_the_end_stays_as_it_was_set():
    """After the end nothing counts: neither bytes, nor a second close."""
    translator = CompletionsTranslator()
    translator.feed(chunk("a", finish_reason="stop") + DONE)
    end = translator.end

    assert [] == translator.feed(chunk("b"))
    assert [] == translator.close()
    assert end is translator.end
    assert StreamEnd() == end


@given(st.binary(max_size=200), st.integers())
@settings(max_examples=200, deadline=None)
def test_random_bytes_raise_nothing_in_any_split(body, seed):
    """Whatever arrives, nothing is raised, and the split makes no difference."""
    check(CompletionsTranslator, body, seed)
    check(CompletionsTranslator, b"data: " + body + b"\n\n", seed)


def test_mutated_streams_raise_nothing_in_any_split():
    """Streams with flipped, lost, doubled and swapped bytes, in two random splits each."""
    for body, seed in mutated_streams("completions", count=2_000):
        check(CompletionsTranslator, body, seed)
