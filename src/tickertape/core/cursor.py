"""A cursor: the last record that a reader has applied, by its offset and its epoch.

An offset alone does not name a record for ever. A log that lost records which it had
acknowledged gets others at the same offsets, from a writer with a higher epoch; the two
together tell them apart. A cursor's text is the `id` of a block: `61`, or `61.2` where
the record's epoch is not the first.

Knows no log: whether the record is still there is for a tail to find out.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from tickertape.core.record import BEGINNING

FIRST_EPOCH: Final = 1
"""The epoch of a run that nobody has taken over: nearly all of them."""

# No number is longer than a log's 64 bits can hold.
_TEXT: Final = re.compile(r"-1|([0-9]{1,18})(?:\.([1-9][0-9]{0,17}))?")


class Cursor(Struct, frozen=True, gc=False):
    """The place of one record in one history. `str` gives its text."""

    offset: int
    epoch: int = FIRST_EPOCH

    def __str__(self) -> str:
        return f"{self.offset}" if self.epoch == FIRST_EPOCH else f"{self.offset}.{self.epoch}"

    def shares_history(self, other: Cursor) -> bool:
        """Tell whether one history can have both records: epochs never fall as offsets rise."""
        if self.offset < other.offset:
            return self.epoch <= other.epoch
        return self.epoch >= other.epoch if self.offset > other.offset else self == other


AT_BEGINNING: Final = Cursor(BEGINNING)
"""The cursor of a reader that has seen nothing."""


def parse_cursor(text: str) -> Cursor | None:
    """Return the cursor that the text is; None when it is none."""
    found = _TEXT.fullmatch(text)
    return found and Cursor(int(found[1] or BEGINNING), int(found[2] or FIRST_EPOCH))
