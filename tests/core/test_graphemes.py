"""Grapheme clusters: the vectors however cut, and what holds for any text."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import by_name, vectors
from tickertape.core.graphemes import GraphemeSplitter, Kind, kind_of

# What decides about boundaries, often beside each other.
DECISIVE = (
    "a \n\r\t\u0301\u200d\u200c\ufe0f\u20e3\u093f\u094d\u0915\u0937\u0600\u0e33"
    "\u1100\u1161\u11a8\uac00\uac01\U0001f468\U0001f3fd\U0001f1e9\u2764\U000e0067"
)
texts = st.text(st.sampled_from(DECISIVE) | st.characters(), max_size=24)


def clusters(pieces) -> list[str]:
    """Return the clusters of a text that comes in these pieces."""
    splitter = GraphemeSplitter()
    found: list[str] = []
    for piece in pieces:
        grown, begun = splitter.feed(piece)
        if grown:
            found[-1] += grown
        found += begun
    return found


class TestVectors:
    @pytest.mark.parametrize("vector", vectors("graphemes"), ids=by_name)
    def test_any_split_gives_the_clusters_of_the_vector(self, vector):
        """Whole, one code point at a time, and cut in two anywhere."""
        expected = vector["clusters"]
        text = "".join(expected)
        assert expected == clusters([text])
        assert expected == clusters(text)
        for at in range(len(text) + 1):
            assert expected == clusters([text[:at], text[at:]]), at


class TestAnyText:
    @given(st.lists(texts, max_size=6))
    def test_pieces_give_the_clusters_of_the_whole(self, pieces):
        """Where a text is cut changes nothing, and the short cut for ASCII neither."""
        assert clusters(["".join(pieces)]) == clusters(pieces)

    @given(texts)
    def test_clusters_are_the_text(self, text):
        """Nothing is lost, repeated or reordered, and no cluster is empty."""
        found = clusters([text])
        assert text == "".join(found)
        assert all(found)

    @given(texts, texts)
    def test_after_a_control_nothing_grows(self, text, more):
        """The splitter says so before it has seen what follows."""
        splitter = GraphemeSplitter()
        splitter.feed(text)
        if not splitter.may_grow:
            assert "" == splitter.feed(more)[0]

    @given(st.text(st.characters(categories=["Mn", "Me"]), min_size=1), texts)
    def test_marks_stay_with_what_they_are_on(self, marks, text):
        """However many there are."""
        assert ["x" + marks] == clusters(["x", marks])
        assert len(clusters([text])) <= len(clusters([text + marks])) <= len(clusters([text])) + 1


class TestKinds:
    def test_every_code_point_has_a_kind(self):
        """Lone surrogates, too; a mark that is none to a cluster is in the table of such."""
        kinds = {code: kind_of(chr(code)) for code in range(0, sys.maxunicode, 7)}
        assert set(kinds.values()) <= set(Kind)
        assert Kind.CONTROL == kind_of("\ud83d")
        assert Kind.OTHER == kind_of("\u102c")

    def test_a_code_point_of_a_newer_unicode_joins(self):
        """So that a Python that lags behind cuts nothing."""
        unknown = next(
            chr(code) for code in range(0x10D00, 0x12000) if unicodedata.category(chr(code)) == "Cn"
        )
        assert ["a" + unknown, "b"] == clusters(["a" + unknown + "b"])
        assert ["字", "\U0002ebf0"] == clusters(["字\U0002ebf0"])
