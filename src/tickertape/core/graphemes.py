"""Text that comes in pieces → grapheme clusters, what a reader takes for one character.

Knows where a cluster may end, and nothing of time or display. It looks at each code
point once and keeps one state, so a cluster may be cut between any two pieces.

Source: Unicode Standard Annex #29, extended grapheme clusters, with the data of
Unicode 17. The standard library has no grapheme properties, so they are taken from
general categories and the short tables below. Where these are coarser than the
standard's, two of its clusters stay together; none is ever cut:

- pictographs are whole blocks of symbols; it matters only around U+200D;
- after a linker (a virama that makes conjuncts) any letter joins, not consonants only;
- a code point that this Python's Unicode does not know joins what precedes it.
"""

from __future__ import annotations

import unicodedata
from enum import IntEnum
from functools import lru_cache
from typing import Final


class Kind(IntEnum):
    """What a code point is to its neighbours."""

    OTHER = 0
    CR = 1
    LF = 2
    CONTROL = 3
    JOINER = 4  # marks, skin tones, variation selectors, tags: they continue a cluster
    ZWJ = 5
    ZWNJ = 6
    LINKER = 7
    PREPEND = 8
    FLAG = 9  # a regional indicator: two make a flag
    PICTOGRAPH = 10
    LETTER = 11
    L = 12  # Hangul: leading consonant, vowel, trailing consonant, and syllables
    V = 13
    T = 14
    LV = 15
    LVT = 16


class State(IntEnum):
    """What the text so far ends in, as far as it decides what may join."""

    CLOSED = 0  # at the start, and after a control: nothing joins
    CR = 1
    PREPEND = 2
    FLAG = 3  # half a flag
    PICTOGRAPH = 4
    PICTOGRAPH_ZWJ = 5
    LETTER = 6
    LINKED = 7
    L = 8
    V = 9
    T = 10
    OTHER = 11


_CONTINUES: Final = frozenset({Kind.JOINER, Kind.ZWJ, Kind.ZWNJ, Kind.LINKER})
_BREAKS: Final = frozenset({Kind.CR, Kind.LF, Kind.CONTROL})

JOINS: Final[dict[State, frozenset[Kind]]] = {
    State.CLOSED: frozenset(),
    State.CR: frozenset({Kind.LF}),
    State.PREPEND: frozenset(Kind) - _BREAKS,
    State.FLAG: _CONTINUES | {Kind.FLAG},
    State.PICTOGRAPH: _CONTINUES,
    State.PICTOGRAPH_ZWJ: _CONTINUES | {Kind.PICTOGRAPH},
    State.LETTER: _CONTINUES,
    State.LINKED: _CONTINUES | {Kind.LETTER},
    State.L: _CONTINUES | {Kind.L, Kind.V, Kind.LV, Kind.LVT},
    State.V: _CONTINUES | {Kind.V, Kind.T},
    State.T: _CONTINUES | {Kind.T},
    State.OTHER: _CONTINUES,
}
"""Which kinds continue the cluster that a text in this state ends in."""

BEGINS: Final[dict[Kind, State]] = {
    Kind.CR: State.CR,
    Kind.LF: State.CLOSED,
    Kind.CONTROL: State.CLOSED,
    Kind.PREPEND: State.PREPEND,
    Kind.FLAG: State.FLAG,
    Kind.PICTOGRAPH: State.PICTOGRAPH,
    Kind.LETTER: State.LETTER,
    Kind.L: State.L,
    Kind.V: State.V,
    Kind.LV: State.V,
    Kind.T: State.T,
    Kind.LVT: State.T,
}
"""The state after a code point of this kind; `OTHER` after the rest, but see `KEEPS`."""

KEEPS: Final[dict[tuple[State, Kind], State]] = {
    (State.FLAG, Kind.FLAG): State.OTHER,
    (State.PICTOGRAPH, Kind.JOINER): State.PICTOGRAPH,
    (State.PICTOGRAPH, Kind.ZWNJ): State.PICTOGRAPH,
    (State.PICTOGRAPH, Kind.LINKER): State.PICTOGRAPH,
    (State.PICTOGRAPH, Kind.ZWJ): State.PICTOGRAPH_ZWJ,
    (State.LETTER, Kind.JOINER): State.LETTER,
    (State.LETTER, Kind.ZWJ): State.LETTER,
    (State.LETTER, Kind.LINKER): State.LINKED,
    (State.LINKED, Kind.JOINER): State.LINKED,
    (State.LINKED, Kind.ZWJ): State.LINKED,
    (State.LINKED, Kind.LINKER): State.LINKED,
}
"""The state after a kind where what came before it still matters."""

_STEPS: Final = tuple(
    tuple(
        (kind in JOINS[state], KEEPS.get((state, kind), BEGINS.get(kind, State.OTHER)))
        for kind in Kind
    )
    for state in State
)

_Ranges = tuple[tuple[int, int], ...]

_JOINERS: Final[_Ranges] = (
    (0x0E33, 0x0E33), (0x0EB3, 0x0EB3), (0xFF9E, 0xFF9F), (0x1F3FB, 0x1F3FF), (0xE0020, 0xE007F),
)  # fmt: skip
"""What continues a cluster and is no mark."""

_SPACED: Final[_Ranges] = (
    (0x102B, 0x102C), (0x1038, 0x1038), (0x1062, 0x1064), (0x1067, 0x106D), (0x1083, 0x1083),
    (0x1087, 0x108C), (0x108F, 0x108F), (0x109A, 0x109C), (0x1A61, 0x1A61), (0x1A63, 0x1A64),
    (0xAA7B, 0xAA7B), (0xAA7D, 0xAA7D), (0x11720, 0x11721),
)  # fmt: skip
"""Marks that stand by themselves (Burmese, Tai Tham, Ahom)."""

_LINKERS: Final[_Ranges] = tuple(
    (code, code)
    for code in (
        0x094D, 0x09CD, 0x0ACD, 0x0B4D, 0x0C4D, 0x0D4D, 0x1039, 0x17D2, 0x1A60, 0x1B44, 0x1BAB,
        0xA9C0, 0xAAF6, 0x10A3F, 0x11133, 0x113D0, 0x1193E, 0x11A47, 0x11A99, 0x11F42,
    )
)  # fmt: skip

_PREPENDS: Final[_Ranges] = (
    (0x0600, 0x0605), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2),
    (0x0D4E, 0x0D4E), (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x111C2, 0x111C3),
    (0x113D1, 0x113D1), (0x1193F, 0x1193F), (0x11941, 0x11941), (0x11A84, 0x11A89),
    (0x11D46, 0x11D46), (0x11F02, 0x11F02),
)  # fmt: skip

_PICTOGRAPHS: Final[_Ranges] = (
    (0x00A9, 0x00A9), (0x00AE, 0x00AE), (0x203C, 0x203C), (0x2049, 0x2049), (0x2122, 0x2122),
    (0x2139, 0x2139), (0x2190, 0x21FF), (0x2300, 0x23FF), (0x24C2, 0x24C2), (0x25A0, 0x27BF),
    (0x2900, 0x297F), (0x2B00, 0x2BFF), (0x3030, 0x3030), (0x303D, 0x303D), (0x3297, 0x3297),
    (0x3299, 0x3299), (0x1F000, 0x1FAFF), (0x1FC00, 0x1FFFD),
)  # fmt: skip

# The first range that has the code point decides, so the small ones precede the large.
_TABLES: Final[tuple[tuple[Kind, _Ranges], ...]] = (
    (Kind.CR, ((0x0D, 0x0D),)),
    (Kind.LF, ((0x0A, 0x0A),)),
    (Kind.ZWJ, ((0x200D, 0x200D),)),
    (Kind.ZWNJ, ((0x200C, 0x200C),)),
    (Kind.LINKER, _LINKERS),
    (Kind.JOINER, _JOINERS),
    (Kind.OTHER, _SPACED),
    (Kind.PREPEND, _PREPENDS),
    (Kind.FLAG, ((0x1F1E6, 0x1F1FF),)),
    (Kind.PICTOGRAPH, _PICTOGRAPHS),
    (Kind.L, ((0x1100, 0x115F), (0xA960, 0xA97C))),
    (Kind.V, ((0x1160, 0x11A7), (0xD7B0, 0xD7C6), (0x16D63, 0x16D63), (0x16D67, 0x16D6A))),
    (Kind.T, ((0x11A8, 0x11FF), (0xD7CB, 0xD7FB))),
    (Kind.LETTER, ((0x20000, 0x3FFFD),)),  # Han, of which every version knows more
)

_CATEGORIES: Final = {
    "Mn": Kind.JOINER, "Me": Kind.JOINER, "Mc": Kind.JOINER, "Cn": Kind.JOINER,
    "Cc": Kind.CONTROL, "Cf": Kind.CONTROL, "Cs": Kind.CONTROL,
    "Zl": Kind.CONTROL, "Zp": Kind.CONTROL,
    "Lo": Kind.LETTER,
}  # fmt: skip


# A text has few different characters: this holds those of one in any script.
@lru_cache(maxsize=4096)
def kind_of(character: str) -> Kind:
    """Return what one code point is to its neighbours."""
    code = ord(character)
    if 0xAC00 <= code <= 0xD7A3:  # every 28th syllable has no trailing consonant
        return Kind.LVT if (code - 0xAC00) % 28 else Kind.LV
    for kind, ranges in _TABLES:
        for first, last in ranges:
            if first <= code <= last:
                return kind
    return _CATEGORIES.get(unicodedata.category(character), Kind.OTHER)


class GraphemeSplitter:
    """One text's grapheme clusters, in the order of its code points."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = State.CLOSED

    @property
    def may_grow(self) -> bool:
        """Whether more text could continue the last cluster: always, but after a control."""
        return self._state is not State.CLOSED

    def feed(self, text: str) -> tuple[str, list[str]]:
        """Return what of `text` continues the last cluster, and the clusters it begins.

        Joined in this order they are `text`. Any split of a text gives the same
        clusters.
        """
        # Between ASCII characters only CR and LF join.
        if text.isascii() and "\r" not in text and self._state not in (State.CR, State.PREPEND):
            if text:
                self._state = BEGINS.get(kind_of(text[-1]), State.OTHER)
            return "", list(text)
        starts: list[int] = []
        state = self._state
        for at, character in enumerate(text):
            joins, state = _STEPS[state][kind_of(character)]
            if not joins:
                starts.append(at)
        self._state = state
        if not starts:
            return text, []
        ends = [*starts[1:], len(text)]
        return text[: starts[0]], [text[start:end] for start, end in zip(starts, ends, strict=True)]
