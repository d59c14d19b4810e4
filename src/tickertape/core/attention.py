"""Whether anybody still reads a run, as its writer learns it by looking from time to time.

Pure: times are passed in, all of them on the writer's own monotonic clock. What the
log says of the last reading is only compared with what it said before, so that no
two clocks have to agree.
"""

from __future__ import annotations

from typing import Final

LOOKS: Final = 4
"""How often a writer looks before it gives a run up: what it may be late is a part of this."""


class Attention:
    """One run's readers. A new run counts as read: from its start somebody has the whole time."""

    def __init__(self, *, now_s: float, abandon_after_s: float) -> None:
        self.look_at_s = now_s
        """When to look next."""
        self._abandon_after_s = abandon_after_s
        self._quiet_since_s = now_s
        self._last_read_at: float | None = None
        self._is_doubted = False

    def look(self, last_read_at: float, *, now_s: float) -> bool:
        """Take what the log says now; return whether the run is abandoned.

        A run is given up at the second look that finds it so: a log that could not be
        reached for a while may not have been told of a reader yet.
        """
        if self._last_read_at is not None and last_read_at != self._last_read_at:
            self._quiet_since_s = now_s
        self._last_read_at = last_read_at
        due_at_s = self._quiet_since_s + self._abandon_after_s
        self.look_at_s = min(now_s + self._abandon_after_s / LOOKS, max(due_at_s, now_s))
        was_doubted, self._is_doubted = self._is_doubted, now_s >= due_at_s
        return was_doubted and self._is_doubted

    def excuse(self, *, now_s: float) -> None:
        """Begin to count anew: for a while nobody could have been seen reading."""
        self._quiet_since_s = now_s
        self.look_at_s = now_s
        self._last_read_at = None
        self._is_doubted = False
