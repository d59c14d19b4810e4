"""The log's file: its tables, its version, and the lock that keeps other processes out.

Knows how the file is opened and what stands in it; not who writes when.

A commit puts what was appended, of all runs together, into one row of `journal`.
When enough of one run has gathered there, or the run ends, it moves to `slices`,
where it can be found by run and offset; what the journal no longer needs is
deleted from its beginning. So a commit touches one page, however many runs it
writes to: measured with 32 runs, a fifth of what a row per append costs that is
kept in the order of runs.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from tickertape.core.errors import ConfigurationError
from tickertape.logs.sqlite.errors import opening

Synchronous: TypeAlias = Literal["normal", "full"]
"""What a commit waits for: the operating system's memory, or the disk itself."""

VERSION: Final = 1
"""The schema's. A file of a newer version is refused."""

APPLICATION_ID: Final = int.from_bytes(b"Tick")
"""Tells the log's file from other programs' SQLite files."""

_SCHEMA: Final = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    owner TEXT,
    idempotency_key TEXT,
    fingerprint TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    -- What follows is NULL while the run is open.
    end_offset INTEGER,
    closed_at REAL,
    cancel_by TEXT,
    -- Then only the id is left.
    trimmed_at REAL
);
CREATE INDEX runs_by_key ON runs (idempotency_key, owner) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_by_end ON runs (closed_at) WHERE trimmed_at IS NULL;
CREATE INDEX runs_by_trim ON runs (trimmed_at) WHERE trimmed_at IS NOT NULL;
-- JSON: [[number, offset of the first event, [epoch, appended_at, [event, …]]], …]
CREATE TABLE journal (row INTEGER PRIMARY KEY, appends BLOB NOT NULL);
-- JSON: [[epoch, appended_at, [event, …]], …]
CREATE TABLE slices (
    number INTEGER NOT NULL,
    first_offset INTEGER NOT NULL,
    appends BLOB NOT NULL,
    UNIQUE (number, first_offset)
);
"""

# 16 MiB of pages: a checkpoint waits for the disk, so it should come rarely.
_CHECKPOINT_PAGES: Final = 4096
_WAL_BYTES: Final = 32 * 2**20
_LOCK_WAIT_S: Final = 5.0


def open_database(
    path: Path, *, synchronous: Synchronous, max_bytes: int | None
) -> sqlite3.Connection:
    """Return a connection that may write, after the tables were made if the file is new.

    Only this process may have the file, see `lock`.

    Raises:
        ConfigurationError: not a file of ours, a newer one's, or one that can't be written.
    """
    if synchronous not in get_args(Synchronous):
        raise ConfigurationError(f"synchronous must be 'normal' or 'full', not {synchronous!r}")
    with opening(path):
        # Answers are nobody else's business; SQLite gives its other files the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = _connect(path)
        try:
            _prepare(connection, path)
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            # What is deleted is somebody's answer; SQLite's own default depends on the build.
            connection.execute("PRAGMA secure_delete = ON").fetchall()
            if max_bytes is not None:
                page_size = connection.execute("PRAGMA page_size").fetchone()[0]
                connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_size)}")
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that can only read.

    Raises:
        ConfigurationError: the file can't be opened.
    """
    with opening(path):
        connection = _connect(path)
        connection.execute("PRAGMA query_only = 1")
    return connection


def lock(path: Path) -> sqlite3.Connection:
    """Take the file for this process; close what is returned to give it back.

    The kernel gives it back when the process is killed. The lock is SQLite's own, on
    an empty database beside the file, so it works wherever SQLite does; unlike
    flock(2), a forked child does not inherit it.

    Raises:
        ConfigurationError: somebody else has it, or the folder is not there or not writable.
    """
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"can't open the log {str(path)!r}: there is no folder {str(path.parent)!r}; make it, "
            "or choose another path"
        )
    lock_path = path.with_name(f"{path.name}-lock")
    with opening(path):
        connection = sqlite3.connect(
            lock_path, isolation_level=None, timeout=0, check_same_thread=False
        )
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorname != "SQLITE_BUSY":
                raise
            raise ConfigurationError(
                f"the log {str(path)!r} is in use: one process at a time can have it. "
                "Stop the other one, or choose another path"
            ) from error
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    # Each connection is used by one thread, but closed by whichever ends it.
    return sqlite3.connect(
        path, isolation_level=None, timeout=_LOCK_WAIT_S, check_same_thread=False
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application_id == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        _create(connection)
    elif application_id != APPLICATION_ID:
        raise ConfigurationError(
            f"can't open the log {str(path)!r}: it is another program's SQLite file; "
            "choose another path"
        )
    elif version > VERSION:
        raise ConfigurationError(
            f"can't open the log {str(path)!r}: a newer Tickertape wrote it (its schema is "
            f"version {version}, this one knows {VERSION}); upgrade, or choose another path"
        )
    else:
        # Shows now, and not at the first answer, whether the file can be written.
        connection.execute(f"PRAGMA user_version = {version}")


def _create(connection: sqlite3.Connection) -> None:
    # Both stand in the file from then on, and only work before its first table.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(
        f"BEGIN; {_SCHEMA}"
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    )
