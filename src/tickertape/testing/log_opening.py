"""How the contract's tests get a log: what a subclass says, and what a test is given.

Knows no promise; those stand in `log_contract` and the contracts that it collects.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tickertape.logs.base import EventLog
from tickertape.testing.log_probes import RETENTION_S, Clock, started


class LogOpening:
    """Opens logs. A subclass of `LogContract` says how."""

    def open_log(
        self, place: Path, *, retention_s: float, now: Callable[[], float]
    ) -> AbstractAsyncContextManager[EventLog]:
        """Return what opens the log at a place and closes it.

        A place is an empty folder; one that has been used is opened again, by a log
        that survives its process. A log that lives elsewhere takes the folder's path
        for what sets this test's runs apart. `now` is the time, in UTC seconds since the epoch.
        """
        raise NotImplementedError

    def after_crash(self, place: Path) -> Path | None:
        """Return a place that holds what `kill -9` would leave now, while the log is open.

        None, as here, for a log that ends with its process; the place itself for one
        that lives elsewhere.
        """
        del place
        return None

    @pytest.fixture
    def clock(self) -> Clock:
        """Return the log's clock, which a test sets."""
        return Clock()

    @pytest.fixture
    async def log(self, tmp_path: Path, clock: Clock) -> AsyncIterator[EventLog]:
        """Open a log that has one run, `r`, of which one record is stored: its start."""
        place = tmp_path / "log"
        place.mkdir()
        async with self.open_log(place, retention_s=RETENTION_S, now=clock) as log:
            await log.create(started("r"))
            yield log
