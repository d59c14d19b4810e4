"""What the operator is told when a log can't be reached: one line, not one for each reader.

Knows no framework and no log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from tickertape.core.errors import LogUnavailable, TickertapeError

QUIET_S: Final = 30.0
"""An outage is over when nothing has told of it for so long; the next one is told again."""


class Outages:
    """Writes errors of ours to a logger as warnings; those of one outage once."""

    def __init__(
        self, logger: logging.Logger, *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._now_s = now_s
        self._told_at_s = float("-inf")

    def note(self, error: TickertapeError) -> None:
        """Tell of the error, unless it belongs to an outage that was told."""
        if isinstance(error, LogUnavailable):
            now_s = self._now_s()
            is_told = now_s - self._told_at_s < QUIET_S
            self._told_at_s = now_s
            if is_told:
                return
        self._logger.warning("%s: %s", type(error).__name__, error)
