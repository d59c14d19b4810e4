"""Who reads in this process: how many at once, and which runs.

Knows neither logs nor sockets; the keeper passes on what was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from tickertape.core.errors import Busy

RETRY_AFTER_S: Final = 5.0


class Readers:
    """The subscribers of this process, and what they read since it was last passed on."""

    def __init__(self, max_subscribers: int) -> None:
        self._max_subscribers = max_subscribers
        self._reading: Counter[str] = Counter()
        self._total = 0
        self._seen: set[str] = set()

    def __len__(self) -> int:
        """Return how many subscribers there are."""
        return self._total

    def require_room(self) -> None:
        """Return if another subscriber may come.

        Raises:
            Busy: all places are taken.
        """
        if self._total >= self._max_subscribers:
            raise Busy(
                f"all {self._max_subscribers} places for readers of this server are taken; "
                "try again later",
                retry_after_s=RETRY_AFTER_S,
            )

    def enter(self, run_id: str) -> None:
        """Count a subscriber.

        Raises:
            Busy: all places are taken.
        """
        self.require_room()
        self._total += 1
        self._reading[run_id] += 1

    def leave(self, run_id: str) -> None:
        """Count it no more. That it was there is remembered until it was passed on."""
        self._total -= 1
        self._reading[run_id] -= 1
        if not self._reading[run_id]:
            del self._reading[run_id]
        self._seen.add(run_id)

    def note(self, run_id: str) -> None:
        """Note that somebody read the run once, without staying."""
        self._seen.add(run_id)

    def seen(self) -> list[str]:
        """Return the runs that are being read, or were since `passed_on`."""
        return list(self._seen.union(self._reading))

    def passed_on(self, run_ids: Iterable[str]) -> None:
        """Forget that these were read; who still reads stays."""
        self._seen.difference_update(run_ids)
