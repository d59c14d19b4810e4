"""Chunks that are alike in all but their text: one is read in full, the rest by comparison.

A provider wraps each token of an answer in the same three hundred bytes: the same
id, time, model and filter results. Where a chunk begins and ends with exactly the
bytes of one that was read, and between them stands one JSON string, it says the
same but for that string. Comparing bytes costs a third of reading them.

Knows JSON text and the shape of a chat completion chunk; what a chunk means is
decided before it makes a mould.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tickertape.providers.translators.chat_chunk import decode_chunk
from tickertape.providers.translators.json_text import UNREADABLE

MAX_MISSES: Final = 3
"""Some streams never repeat a chunk (padding, interleaved choices): these are soon given up."""

_KEY: Final = '"content":'
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_PROBE: Final = "\0probe"
_PROBE_JSON: Final = msgspec.json.encode(_PROBE).decode()
_decode_string: Final = msgspec.json.Decoder(str).decode


class Mould:
    """What the chunks of one stretch of text have in common."""

    __slots__ = ("_head", "_tail", "index")

    def __init__(self, head: str, tail: str, index: int) -> None:
        self._head = head
        self._tail = tail
        self.index = index
        """The choice that the text belongs to."""

    def text_of(self, data: str) -> str:
        """Return the text of a chunk that is from this mould; none if it is not, or has none."""
        head, tail = self._head, self._tail
        if not (data.startswith(head) and data.endswith(tail)):
            return ""
        try:
            return _decode_string(data[len(head) : len(data) - len(tail)])
        except UNREADABLE:
            return ""


def make_mould(data: str, index: int) -> Mould | None:
    """Return the mould of a chunk that only brings text to one choice; None if none can be made.

    That nothing but the text depends on the place is not guessed: another text is
    put there, and the chunk read again.
    """
    head, key, rest = data.partition(_KEY)
    string = _STRING.match(rest)
    if string is None:
        return None
    mould = Mould(head + key, rest[string.end() :], index)
    try:
        probe = decode_chunk(f"{head}{key}{_PROBE_JSON}{rest[string.end() :]}")
    except UNREADABLE:
        return None
    found = [choice.delta.content for choice in probe.choices or () if choice.delta is not None]
    return mould if found == [_PROBE] else None
