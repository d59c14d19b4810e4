"""Writes the log's file: one transaction for everything that waits.

Works in a thread of its own, which alone knows where each open run's next record
goes. A job is acknowledged after its transaction was committed, and leaves no
trace if it was not.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, assert_never

from tickertape.core.errors import (
    IdempotencyConflict,
    IllegalEvent,
    LogClosed,
    RunTrimmed,
    StaleEpoch,
    TickertapeError,
    UnknownRun,
)
from tickertape.logs.sqlite_errors import opening, unavailable
from tickertape.logs.sqlite_jobs import (
    Append,
    Appended,
    Check,
    Create,
    Find,
    Key,
    TakeOver,
    WriteJob,
)
from tickertape.logs.sqlite_recovery import end_lost_runs
from tickertape.logs.sqlite_retention import Retention
from tickertape.logs.sqlite_schema import VERSION, Synchronous, lock, open_database
from tickertape.logs.sqlite_slices import pack_journal_entry, pack_slice

logger = logging.getLogger("tickertape.logs")

SLICE_RECORDS: Final = 256
SLICE_BYTES: Final = 64 * 1024
"""A run's records move from the journal to a slice when they are so many, or so large."""

JOURNAL_ROWS: Final = 16_384
"""How many rows a run that adds little may hold back; then its records move anyway."""

CLEAN_EVERY: Final = 1024
"""After so many rows the beginning of the journal is deleted."""

_FIND = """
SELECT run_id, fingerprint FROM runs
WHERE idempotency_key = ? AND owner IS ? AND trimmed_at IS NULL
AND (closed_at IS NULL OR closed_at > ?)
"""


class _OpenRun:
    """Where a run's next record goes, and what of it is not in a slice yet."""

    __slots__ = ("appends", "end_offset", "epoch", "number", "row", "size", "sliced_offset")

    def __init__(self, number: int) -> None:
        self.number = number
        self.epoch = 1
        self.end_offset = 0
        self.sliced_offset = 0
        self.appends: list[bytes] = []
        self.size = 0
        self.row = 0
        """The journal's row that holds the first of the appends; means nothing without any."""

    def undo(self) -> Callable[[], None]:
        """Return what makes the run again what it is now."""
        appends, count = self.appends, len(self.appends)
        rest = self.end_offset, self.sliced_offset, self.size, self.row, self.epoch

        def restore() -> None:
            self.appends = appends
            del appends[count:]
            self.end_offset, self.sliced_offset, self.size, self.row, self.epoch = rest

        return restore

    def is_to_be_sliced(self) -> bool:
        """Tell whether enough has gathered."""
        return self.end_offset - self.sliced_offset >= SLICE_RECORDS or self.size >= SLICE_BYTES


class Writer:
    """Does the writing jobs."""

    def __init__(
        self,
        path: Path,
        *,
        retention: Retention,
        synchronous: Synchronous,
        max_bytes: int | None,
        opened_at: float,
    ) -> None:
        self._path = path
        self._retention = retention
        self._synchronous: Synchronous = synchronous
        self._max_bytes = max_bytes
        self._opened_at = opened_at
        self._open: dict[str, _OpenRun] = {}
        self._next_number = 1
        self._next_row = 1
        self._clean_at_row = CLEAN_EVERY
        # Of the transaction now being made: what goes into the journal, and how
        # this object forgets it all.
        self._entries: list[bytes] = []
        self._undo: list[Callable[[], object]] = []
        self._lock: sqlite3.Connection
        self._connection: sqlite3.Connection

    def open(self) -> None:
        """Lock and open the file, end what a crash left open, and trim what is old.

        Raises:
            ConfigurationError: the file can't be used; the message says why.
        """
        self._lock = lock(self._path)
        try:
            self._connection = open_database(
                self._path, synchronous=self._synchronous, max_bytes=self._max_bytes
            )
        except BaseException:
            self._lock.close()
            raise
        try:
            with opening(self._path):
                lost = end_lost_runs(self._connection, now=self._opened_at)
                self._retention.catch_up(self._connection, now=self._opened_at)
                last_number = "SELECT COALESCE(MAX(number), 0) FROM runs"
                self._next_number = self._connection.execute(last_number).fetchone()[0] + 1
        except BaseException:
            self.close()
            raise
        for run_id in lost:
            logger.warning("run %s: its server stopped; ended as producer_lost", run_id)

    def close(self) -> None:
        """Close the file, which also empties its write-ahead log, and unlock it."""
        try:
            self._connection.close()
        finally:
            self._lock.close()

    def work(self, jobs: Sequence[WriteJob]) -> None:
        """Do the jobs in one transaction; one by one, if that fails."""
        try:
            self._commit(jobs)
        except sqlite3.Error as error:
            self._roll_back()
            if len(jobs) > 1:
                # Nobody's job fails for another's: for one that is too large, say.
                for job in jobs:
                    job.result = job.error = None
                    self.work([job])
            else:
                jobs[0].result = None
                jobs[0].error = unavailable(error, self._path)

    def _commit(self, jobs: Sequence[WriteJob]) -> None:
        self._entries = []
        self._undo = []
        for job in jobs:
            try:
                self._do(job)
            except TickertapeError as error:
                job.error = error
        is_cleaned = self._next_row >= self._clean_at_row
        if is_cleaned:
            self._clean_journal()
        if self._entries:
            # Alone, as it mostly is, this is a transaction by itself: one call into
            # SQLite, which gives the interpreter's lock away only once.
            row = (self._next_row, pack_slice(self._entries))
            self._connection.execute("INSERT INTO journal (row, appends) VALUES (?, ?)", row)
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        if self._entries:
            self._next_row += 1
        if is_cleaned:
            self._clean_at_row = self._next_row + CLEAN_EVERY

    def _roll_back(self) -> None:
        for undo in reversed(self._undo):
            undo()
        if self._connection.in_transaction:  # some failures have rolled it back already
            self._connection.execute("ROLLBACK")

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _do(self, job: WriteJob) -> None:
        match job:
            case Append():
                job.result = self._append(job)
            case Create():
                job.result = self._create(job)
            case TakeOver():
                job.result = self._take_over(job)
            case Find():
                job.result = self._find(job.key, now=job.now)
            case Check():
                self._begin()
                self._retention.trim(self._connection, now=job.now)
                self._connection.execute(f"PRAGMA user_version = {VERSION}")
            case _:
                assert_never(job)

    def _append(self, job: Append) -> Appended:
        run = self._open.get(job.run_id)
        if run is None:
            raise self._refusal(job)
        if job.epoch != run.epoch:
            raise StaleEpoch(held=job.epoch, current=run.epoch)
        if job.events:
            self._undo.append(run.undo())
            self._store(run, job.append, count=len(job.events), ends_run=job.ends_run)
        if job.ends_run:
            self._close_run(run, job)
        return Appended(run.number, run.end_offset, run.sliced_offset)

    def _store(self, run: _OpenRun, append: bytes, *, count: int, ends_run: bool) -> None:
        first_offset = run.end_offset
        if not run.appends:
            run.row = self._next_row
        run.appends.append(append)
        run.size += len(append)
        run.end_offset += count
        if ends_run or run.is_to_be_sliced():
            self._slice(run)
        else:
            entry = pack_journal_entry(run.number, first_offset=first_offset, append=append)
            self._entries.append(entry)

    def _slice(self, run: _OpenRun) -> None:
        """Move what has gathered. What stays behind in the journal counts no more."""
        self._begin()
        self._connection.execute(
            "INSERT INTO slices (number, first_offset, appends) VALUES (?, ?, ?)",
            (run.number, run.sliced_offset, pack_slice(run.appends)),
        )
        run.sliced_offset = run.end_offset
        run.appends = []
        run.size = 0

    def _close_run(self, run: _OpenRun, job: Append) -> None:
        self._connection.execute(
            "UPDATE runs SET end_offset = ?, closed_at = ?, cancel_by = ? WHERE number = ?",
            (run.end_offset, job.appended_at, job.cancel_by, run.number),
        )
        del self._open[job.run_id]
        self._undo.append(lambda: self._open.update({job.run_id: run}))

    def _create(self, job: Create) -> Appended:
        self._begin()
        self._retention.trim(self._connection, now=job.now)
        if job.key is not None:
            joined = self._find(job.key, now=job.now)
            if joined is not None:
                job.joined = joined
                return Appended(0, 0, 0)
        run_id = job.started.run_id
        run = _OpenRun(self._next_number)
        try:
            self._connection.execute(
                "INSERT INTO runs (number, run_id, owner, idempotency_key, fingerprint, epoch) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    run.number,
                    run_id,
                    job.owner,
                    job.key and job.key.idempotency_key,
                    job.key.fingerprint if job.key else "",
                    run.epoch,
                ),
            )
        except sqlite3.IntegrityError as error:
            raise IllegalEvent(f"run {run_id!r} has been started already") from error
        self._next_number += 1
        self._open[run_id] = run
        self._undo.append(lambda: self._open.pop(run_id))
        self._store(run, job.append, count=1, ends_run=False)
        return Appended(run.number, run.end_offset, run.sliced_offset)

    def _find(self, key: Key, *, now: float) -> str | None:
        row = self._connection.execute(
            _FIND, (key.idempotency_key, key.owner, self._retention.trim_before(now))
        ).fetchone()
        if row is None:
            return None
        run_id, fingerprint = row
        if fingerprint != key.fingerprint:
            raise IdempotencyConflict(
                f"the idempotency key {key.idempotency_key!r} was used with another request; "
                "send a new key with a new request",
                param="Idempotency-Key",
            )
        found: str = run_id
        return found

    def _take_over(self, job: TakeOver) -> int:
        run = self._open.get(job.run_id)
        if run is None:
            raise self._refusal(job)
        if job.epoch != run.epoch:
            raise StaleEpoch(held=job.epoch, current=run.epoch)
        self._begin()
        self._undo.append(run.undo())
        run.epoch += 1
        # In the file too: should this process die, the run's end gets one higher still.
        self._connection.execute(
            "UPDATE runs SET epoch = ? WHERE number = ?", (run.epoch, run.number)
        )
        return run.epoch

    def _refusal(self, job: Append | TakeOver) -> TickertapeError:
        """Return why a run that is not open takes no append and no new writer."""
        row = self._connection.execute(
            "SELECT epoch, trimmed_at FROM runs WHERE run_id = ?", (job.run_id,)
        ).fetchone()
        if row is None:
            return UnknownRun(job.run_id)
        epoch, trimmed_at = row
        if trimmed_at is not None:
            return RunTrimmed(job.run_id)
        if epoch != job.epoch and type(job) is Append:
            return StaleEpoch(held=job.epoch, current=epoch)
        return LogClosed(job.run_id)

    def _clean_journal(self) -> None:
        """Delete the rows that hold nothing of an open run that is not in a slice too."""
        self._begin()
        for run in self._open.values():
            if run.appends and self._next_row - run.row >= JOURNAL_ROWS:
                self._undo.append(run.undo())
                self._slice(run)
        rows = [run.row for run in self._open.values() if run.appends]
        oldest = min(rows, default=self._next_row)
        self._connection.execute("DELETE FROM journal WHERE row < ?", (oldest,))
