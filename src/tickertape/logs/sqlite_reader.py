"""Reads from the log's file: runs that have ended, and what open ones have in slices.

Works in a thread of its own, on a connection that can only read: in WAL mode a
reader and the writer never wait for each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from tickertape.core.errors import RunTrimmed, TickertapeError, UnknownRun
from tickertape.core.record import Record
from tickertape.logs.sqlite_errors import unavailable
from tickertape.logs.sqlite_jobs import ClosedRun, ReadClosed, ReadHead, ReadJob, ReadSlices
from tickertape.logs.sqlite_schema import open_for_reading
from tickertape.logs.sqlite_slices import unpack_slice

_HEAD = """
SELECT number, owner, end_offset, closed_at, cancel_by, epoch, trimmed_at FROM runs
WHERE run_id = ? AND closed_at IS NOT NULL
"""

# The slice that holds the first record wanted, and all that come after it.
_SLICES = """
SELECT first_offset, appends FROM slices
WHERE number = :number AND first_offset >= (
    SELECT MAX(first_offset) FROM slices WHERE number = :number AND first_offset <= :first
)
ORDER BY first_offset
"""


class Reader:
    """Does the reading jobs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection

    def open(self) -> None:
        """Connect. The file exists."""
        self._connection = open_for_reading(self._path)

    def work(self, jobs: Sequence[ReadJob]) -> None:
        """Do the jobs, each on a state of the file that nothing changes meanwhile."""
        for job in jobs:
            try:
                self._connection.execute("BEGIN")
                try:
                    self._do(job)
                finally:
                    self._connection.execute("ROLLBACK")
            except TickertapeError as error:
                job.error = error
            except sqlite3.Error as error:
                job.error = unavailable(error, self._path)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _do(self, job: ReadJob) -> None:
        match job:
            case ReadHead():
                job.result = self._head(job.run_id)[1]
            case ReadClosed():
                number, run = self._head(job.run_id)
                job.result = run, self._records(number, after=job.after, limit=job.limit)
            case ReadSlices():
                job.result = self._records(job.number, after=job.after, limit=job.limit)
            case _:
                assert_never(job)

    def _head(self, run_id: str) -> tuple[int, ClosedRun]:
        row = self._connection.execute(_HEAD, (run_id,)).fetchone()
        if row is None:
            raise UnknownRun(run_id)
        number, owner, end_offset, closed_at, cancel_by, epoch, trimmed_at = row
        if trimmed_at is not None:
            raise RunTrimmed(run_id)
        return number, ClosedRun(owner, end_offset, closed_at, cancel_by, epoch)

    def _records(self, number: int, *, after: int, limit: int) -> list[Record]:
        records: list[Record] = []
        rows = self._connection.execute(_SLICES, {"number": number, "first": max(after + 1, 0)})
        for first_offset, packed in rows:
            records += unpack_slice(
                packed, first_offset=first_offset, after=after, limit=limit - len(records)
            )
            if len(records) >= limit:
                break
        rows.close()
        return records
