"""What a model says, and what that is for one request."""

import pytest

from tickertape.core.events import Usage
from tickertape.testing.answers import (
    Answer,
    ToolCall,
    choices_for,
    default_words,
    pieces,
    usage_for,
)


def test_no_two_default_words_are_alike():
    """A word that is lost, repeated or moved shows."""
    words = default_words(1000) + default_words(1000, choice=1)
    assert len(words) == len(set(words))


def test_the_default_text_has_characters_of_one_to_four_bytes():
    """A cut at every byte meets the inside of a character."""
    text = "".join(default_words(10))
    assert {1, 2, 3, 4} == {len(character.encode()) for character in text}


@pytest.mark.parametrize("text", ["Hello, dear  world", " lead", "trail  ", "a\nb\n", " ", "", "x"])
def test_cutting_a_text_loses_nothing(text):
    """The pieces, joined, are the text."""
    assert text == "".join(pieces(text))


def test_a_text_is_cut_into_words():
    """One piece a word, with the blanks before it."""
    assert ("Hello,", " dear", " world") == pieces("Hello, dear world")


def test_a_tuple_is_sent_as_it_is():
    """A test decides its own pieces, empty ones too."""
    assert ("a", "", "bc") == pieces(("a", "", "bc"))


@pytest.mark.parametrize(
    ("answer", "max_tokens", "reason"),
    [
        (Answer(words=3), None, "stop"),
        (Answer(words=3), 3, "stop"),
        (Answer(words=3), 2, "length"),
        (Answer(tool_calls=(ToolCall(name="f"),)), None, "tool_calls"),
        (Answer(words=3, finish_reason="content_filter"), 2, "content_filter"),
    ],
)
def test_the_finish_reason_fits(answer, max_tokens, reason):
    """It follows from the answer and the limit, unless the answer says it."""
    (choice,) = choices_for(answer, n=1, max_tokens=max_tokens)
    assert reason == choice.finish_reason


def test_a_limit_cuts_the_text():
    """Two tokens allowed, two pieces sent."""
    (choice,) = choices_for(Answer(text="a b c"), n=1, max_tokens=2)
    assert ("a", " b") == choice.text


def test_a_refusal_has_no_text_beside_it():
    """Unless the answer has one."""
    (bare,) = choices_for(Answer(refusal="No."), n=1, max_tokens=None)
    (both,) = choices_for(Answer(refusal="No.", text="Hm."), n=1, max_tokens=None)
    assert ((), ("Hm.",)) == (bare.text, both.text)


def test_the_answer_overrules_how_many_choices_were_asked_for():
    """`n` of the answer wins."""
    assert 3 == len(choices_for(Answer(n=3), n=1, max_tokens=None))
    assert 2 == len(choices_for(Answer(), n=2, max_tokens=None))


def test_usage_is_counted_by_pieces():
    """Reasoning, text and tool calls all cost."""
    answer = Answer(text="a b", reasoning="c", tool_calls=(ToolCall(name="f", arguments="{}"),))
    choices = choices_for(answer, n=2, max_tokens=None)
    assert Usage(input_tokens=5, output_tokens=8, total_tokens=13, reasoning_tokens=2) == usage_for(
        answer, choices, input_tokens=5
    )


def test_usage_can_be_given_or_missing():
    """A test may want to see a certain number, or none."""
    given = Usage(input_tokens=1, output_tokens=2, total_tokens=3)
    assert given == usage_for(Answer(usage=given), (), input_tokens=9)
    assert usage_for(Answer(usage=None), (), input_tokens=9) is None
