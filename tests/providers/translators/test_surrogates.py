"""Characters cut in two, made whole."""

from tickertape.providers.translators.surrogates import (
    SurrogateJoiner,
    replace_surrogates,
    without_surrogates,
)


def test_halves_in_two_pieces_become_one_character():
    """The first half is held until the second comes."""
    joiner = SurrogateJoiner[str]()

    assert "a" == joiner.join("text", "a\ud83d")
    assert "\U0001f600b" == joiner.join("text", "\ude00b")
    assert {} == joiner.held


def test_texts_are_joined_by_their_keys():
    """A half waits for its own text's next piece, whatever other texts bring."""
    joiner = SurrogateJoiner[str]()
    joiner.join("one", "\ud83d")

    assert "\ufffd" == joiner.join("two", "\ude00")
    assert "" == joiner.join("one", "")
    assert "\U0001f600" == joiner.join("one", "\ude00")


def test_a_dropped_half_is_forgotten():
    """After a drop, the next piece stands by itself."""
    joiner = SurrogateJoiner[str]()
    joiner.join("text", "\ud83d")
    joiner.drop("text")

    assert "\ufffd" == joiner.join("text", "\ude00")


def test_lone_halves_are_replaced_and_pairs_joined():
    """What can't be encoded becomes U+FFFD."""
    assert "\ufffd\ufffd\U0001f600" == replace_surrogates("\ude00\ud83d\ud83d\ude00")


def test_a_json_value_is_cleaned_throughout():
    """Keys and strings at any depth, and nothing else."""
    value = {"a\ud83d": ["\ude00", 1, None, True, {"b": "\ud83d\ude00"}]}

    assert {"a\ufffd": ["\ufffd", 1, None, True, {"b": "\U0001f600"}]} == without_surrogates(value)
