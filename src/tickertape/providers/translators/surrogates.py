r"""Text that was cut inside a UTF-16 surrogate pair, made whole again.

A provider that escapes JSON as UTF-16 may send `"\ud83d"` in one chunk and
`"\ude00"` in the next: one character in two halves. No half may reach an event,
since it can't be encoded as UTF-8. Knows nothing of chunks and events.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

REPLACEMENT: Final = "\ufffd"

_surrogate: Final = re.compile("[\ud800-\udfff]")

Key = TypeVar("Key", bound=Hashable)


class SurrogateJoiner(Generic[Key]):
    """Joins halves across the pieces of many texts, each known by its key."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: dict[Key, str] = {}
        """The high half that each text ended with, if it did. At most one character each."""

    def join(self, key: Key, text: str) -> str:
        """Return what `text` completes; a half at its end is held, other halves are replaced."""
        if not text or (not self.held and not _surrogate.search(text)):
            return text
        text = self.held.pop(key, "") + text
        if "\ud800" <= text[-1] <= "\udbff":
            self.held[key] = text[-1]
            text = text[:-1]
        return replace_surrogates(text)

    def drop(self, key: Key) -> None:
        """Forget the half held for `key`: nothing will complete it."""
        self.held.pop(key, None)


def replace_surrogates(text: str) -> str:
    """Join the pairs in `text`; a half without its other half becomes U+FFFD."""
    if not _surrogate.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def without_surrogates(value: object) -> object:
    """Return a JSON value with `replace_surrogates` applied to every string in it."""
    match value:
        case str():
            return replace_surrogates(value)
        case list():
            return [without_surrogates(item) for item in value]
        case dict():
            return {
                replace_surrogates(key): without_surrogates(item) for key, item in value.items()
            }
        case _:
            return value
