"""How long the log's file keeps what: closed runs, then only their ids, then nothing.

Knows the tables; the time is passed in.
"""

from __future__ import annotations

import sqlite3
from typing import Final

REMEMBER_S: Final = 30 * 86_400.0
"""How long the id of a trimmed run is remembered."""

MAX_REMEMBERED: Final = 100_000
"""Of all runs ever started, the ids of the last so many may be remembered."""

_TRIM_RUNS: Final = 4
"""Runs trimmed at a time. One is created meanwhile, so what is due can't pile up."""

_FREE_PAGES: Final = 256
_VACUUM_PAGES: Final = 32
"""Pages given back at a time, where a quarter of the file and more than a few are free."""

_DUE: Final = """
SELECT number FROM runs WHERE trimmed_at IS NULL AND closed_at <= ? ORDER BY closed_at LIMIT ?
"""
_EMPTY: Final = """
UPDATE runs SET trimmed_at = ?, owner = NULL, idempotency_key = NULL, fingerprint = ''
WHERE number = ?
"""


class Retention:
    """The rule, and its use. For readers a run is gone when its time is over, trimmed or not."""

    def __init__(self, retention_s: float) -> None:
        self._retention_s = retention_s

    def trim_before(self, now: float) -> float:
        """Return the time such that what was closed then or earlier is not kept now."""
        return now - self._retention_s

    def trim(self, connection: sqlite3.Connection, *, now: float) -> bool:
        """Trim a few of the runs that are due, in the transaction that is open.

        Return whether there may be more to do.
        """
        due = connection.execute(_DUE, (self.trim_before(now), _TRIM_RUNS)).fetchall()
        for (number,) in due:
            connection.execute("DELETE FROM slices WHERE number = ?", (number,))
            connection.execute(_EMPTY, (now, number))
        if due:
            self._forget(connection, now=now)
        has_shrunk = _shrink(connection)
        return bool(due) or has_shrunk

    def catch_up(self, connection: sqlite3.Connection, *, now: float) -> None:
        """Trim all that is due: nobody waits yet."""
        has_more = True
        while has_more:
            connection.execute("BEGIN IMMEDIATE")
            has_more = self.trim(connection, now=now)
            connection.execute("COMMIT")

    def _forget(self, connection: sqlite3.Connection, *, now: float) -> None:
        connection.execute("DELETE FROM runs WHERE trimmed_at <= ?", (now - REMEMBER_S,))
        connection.execute(
            "DELETE FROM runs WHERE trimmed_at IS NOT NULL "
            "AND number <= (SELECT MAX(number) FROM runs) - ?",
            (MAX_REMEMBERED,),
        )


def _shrink(connection: sqlite3.Connection) -> bool:
    """Give free pages back to the file system, if they are many: new runs use the rest."""
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if free <= _FREE_PAGES:
        return False
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    if free * 4 <= pages:
        return False
    for _ in range(_VACUUM_PAGES):
        # One by one: it takes a step for each page, and `execute` makes only the first.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return True
