"""The trace of one schedule: who did what, at which virtual time."""

from __future__ import annotations

from collections.abc import Callable


class Trace:
    """Lines, or nothing at all if nobody wants them."""

    def __init__(self, *, is_wanted: bool, time: Callable[[], float]) -> None:
        self.is_wanted = is_wanted
        self.lines: list[str] = []
        self._time = time

    def note(self, who: str, what: str) -> None:
        """Note one step."""
        if self.is_wanted:
            self.lines.append(f"{self._time():10.4f}  {who:<14} {what}")
