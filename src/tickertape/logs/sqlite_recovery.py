"""What a crash left open is ended, when the log's file is opened.

Knows the tables and what stands in them; how such a run ends is `lost_run`'s
business.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from tickertape.core.events import Event
from tickertape.core.lost_run import end_lost_run
from tickertape.logs.packed_append import pack_append, unpack_append
from tickertape.logs.sqlite_slices import (
    pack_slice,
    unpack_appends,
    unpack_journal,
)

_OPEN: Final = "SELECT number, run_id, epoch FROM runs WHERE closed_at IS NULL ORDER BY number"
_SLICES: Final = "SELECT appends FROM slices WHERE number = ? ORDER BY first_offset"


def end_lost_runs(connection: sqlite3.Connection, *, now: float) -> list[str]:
    """End every open run with a higher epoch, in one transaction, and return their ids.

    Afterwards the journal is empty.
    """
    connection.execute("BEGIN IMMEDIATE")
    runs = connection.execute(_OPEN).fetchall()
    journal = _read_journal(connection, {number for number, _, _ in runs})
    for number, _, epoch in runs:
        _end_run(connection, number, journal[number], epoch=epoch + 1, now=now)
    connection.execute("DELETE FROM journal")
    connection.execute("COMMIT")
    return [run_id for _, run_id, _ in runs]


def _read_journal(
    connection: sqlite3.Connection, numbers: set[int]
) -> dict[int, list[tuple[int, bytes]]]:
    """Return, for each of these runs, the first offset of each append in the journal, and it."""
    found: dict[int, list[tuple[int, bytes]]] = {number: [] for number in numbers}
    for (packed,) in connection.execute("SELECT appends FROM journal ORDER BY row"):
        for number, first_offset, append in unpack_journal(packed):
            if number in found:
                found[number].append((first_offset, append))
    return found


def _end_run(
    connection: sqlite3.Connection,
    number: int,
    journal: Sequence[tuple[int, bytes]],
    *,
    epoch: int,
    now: float,
) -> None:
    told: list[tuple[float, Sequence[Event]]] = []
    for (packed,) in connection.execute(_SLICES, (number,)):
        told += unpack_appends(packed)
    sliced_offset = sum(len(events) for _, events in told)
    # What moved to a slice may stand in the journal still.
    appends = [append for first_offset, append in journal if first_offset >= sliced_offset]
    told += map(unpack_append, appends)
    ended = end_lost_run(told)
    appends.append(pack_append([ended], epoch=epoch, appended_at=now))
    connection.execute(
        "INSERT INTO slices (number, first_offset, appends) VALUES (?, ?, ?)",
        (number, sliced_offset, pack_slice(appends)),
    )
    end_offset = sum(len(events) for _, events in told) + 1
    connection.execute(
        "UPDATE runs SET epoch = ?, end_offset = ?, closed_at = ? WHERE number = ?",
        (epoch, end_offset, now, number),
    )
