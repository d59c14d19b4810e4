"""What somebody read of a run, as far as it came: a value that a verdict can be reached on."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from tickertape.core.events import Outcome

Ending: TypeAlias = Outcome | Literal["open"]
"""How the reader was told that the run ended; `open`: it was not."""


class Reading(Struct, kw_only=True):
    """One reader's view of one run."""

    run: int
    reader: str
    run_id: str | None = None
    text: str = ""
    cursor: str = ""
    """The last one that it saw."""
    ending: Ending = "open"
    trouble: str = ""
    """What went wrong beside the run itself: it hung, gave up, or met what may not be."""
    connections: int = 0

    def __str__(self) -> str:
        return (
            f"run {self.run} ({self.run_id}), {self.reader}: {self.ending}, {len(self.text)} "
            f"characters, cursor {self.cursor!r}, last saw {self.text[-40:]!r}"
        )
