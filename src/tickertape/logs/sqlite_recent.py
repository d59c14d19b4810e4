"""What the event loop remembers of runs, so that live readers never touch the file.

Of every open run: all records that are not in a slice yet, and those of the slice
before. That is at most two slices and two appends for each run, so a reader that
keeps up, or is a little behind, reads from here. Of runs that have ended: the last
few, whose readers are only just being told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from tickertape.core.events import CancelledBy, Event
from tickertape.core.lease import Leases
from tickertape.core.record import Record
from tickertape.logs.base import LapsedRun, RunHead

ENDED_RUNS: Final = 64
"""How many runs that have ended are remembered."""


class RecentRun:
    """A run's last records, and what is known of it."""

    __slots__ = (
        "broken",
        "cancel_by",
        "closed_at",
        "end_offset",
        "epoch",
        "first_offset",
        "holder",
        "last_read_at",
        "number",
        "owner",
        "records",
        "sliced_offset",
    )

    def __init__(
        self, number: int, *, owner: str | None, holder: str | None, created_at: float
    ) -> None:
        self.number = number
        self.owner = owner
        self.holder = holder
        self.epoch = 1
        self.last_read_at = created_at
        self.records: list[Record] = []
        self.first_offset = 0
        """Of the records; those before it are in slices."""
        self.sliced_offset = 0
        self.end_offset = 0
        self.closed_at: float | None = None
        self.cancel_by: CancelledBy | None = None
        self.broken: str | None = None
        """Why the last append failed; None while appends succeed."""

    def add(
        self, events: Sequence[Event], *, epoch: int, appended_at: float, sliced_offset: int
    ) -> None:
        """Take in what was appended, and let go of what a later slice has made old."""
        for offset, event in enumerate(events, self.end_offset):
            self.records.append(Record(offset, event, epoch, appended_at))
        self.end_offset += len(events)
        if sliced_offset != self.sliced_offset:
            del self.records[: self.sliced_offset - self.first_offset]
            self.first_offset = self.sliced_offset
            self.sliced_offset = sliced_offset

    def head(self, run_id: str) -> RunHead:
        """Return what is known of it: the same, once it is closed, as the file knows."""
        closed_at = self.closed_at
        return RunHead(
            run_id,
            self.owner,
            self.end_offset,
            closed_at is not None,
            self.cancel_by,
            self.epoch,
            holder=self.holder if closed_at is None else None,
            last_read_at=self.last_read_at if closed_at is None else closed_at,
        )

    def has(self, offset: int) -> bool:
        """Tell whether the record there, or the one that will be next, is remembered."""
        return offset >= self.first_offset

    def after(self, cursor: int, *, limit: int) -> list[Record]:
        """Return the first `limit` records after the cursor, which must be remembered."""
        first = cursor + 1 - self.first_offset
        return self.records[first : first + limit]


class RecentRuns:
    """All open runs, and the last ones that ended."""

    def __init__(self) -> None:
        self._runs: dict[str, RecentRun] = {}
        self._ended: deque[str] = deque()

    def get(self, run_id: str) -> RecentRun | None:
        """Return the run, if it is remembered."""
        return self._runs.get(run_id)

    def add(self, run_id: str, run: RecentRun) -> None:
        """Remember a run that was created."""
        self._runs[run_id] = run

    def take_over(self, run_id: str, *, holder: str, epoch: int) -> None:
        """Note an open run's new writer."""
        run = self._runs[run_id]
        run.holder, run.epoch = holder, epoch

    def note_read(self, run_ids: Sequence[str], *, at: float) -> None:
        """Note that these were read. What is not remembered needs none of it."""
        for run_id in run_ids:
            if run := self._runs.get(run_id):
                run.last_read_at = at

    def lapsed(self, leases: Leases, *, now: float) -> Iterator[LapsedRun]:
        """Yield the open runs whose holder has no lease."""
        for run_id, run in self._runs.items():
            if run.closed_at is None and leases.has_lapsed(run.holder, now=now):
                yield LapsedRun(run_id, run.epoch)

    def end(self, run_id: str, *, at: float) -> None:
        """Note that the run has ended, and forget the one that did so long ago."""
        self._runs[run_id].closed_at = at
        self._ended.append(run_id)
        if len(self._ended) > ENDED_RUNS:
            del self._runs[self._ended.popleft()]
