"""SQLite's exceptions as ours: the one place that translates them.

Knows which of SQLite's result codes an operator can do something about.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tickertape.core.errors import ConfigurationError, LogUnavailable

_REMEDIES: Final = {
    "SQLITE_FULL": "free some space, or allow the log more",
    "SQLITE_READONLY": "make the file and its folder writable",
    "SQLITE_PERM": "make the file and its folder writable",
    "SQLITE_CANTOPEN": "make the file and its folder readable and writable",
    "SQLITE_IOERR": "look at the disk",
    "SQLITE_CORRUPT": "the file is damaged: move it away and start again",
    "SQLITE_NOTADB": "this is no SQLite file: choose another path",
    "SQLITE_BUSY": "another program holds the file locked: end it",
}

_FILE_REMEDIES: Final = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EACCES: "make the file and its folder writable",
    errno.EPERM: "make the file and its folder writable",
    errno.EROFS: "make the file and its folder writable",
}


def unavailable(error: sqlite3.Error, path: Path) -> LogUnavailable:
    """Return what the log raises in place of SQLite's error."""
    return LogUnavailable(f"the log {str(path)!r} can't be used now: {_described(error)}")


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one that tells the operator what to change.

    Raises:
        ConfigurationError: in place of any error of SQLite or of the file system.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise ConfigurationError(
            f"can't open the log {str(path)!r}: {_described(error)}"
        ) from error


def _described(error: sqlite3.Error | OSError) -> str:
    if isinstance(error, OSError):
        remedy = _FILE_REMEDIES.get(error.errno or 0)
    else:
        # Extended codes go on after the primary one: SQLITE_IOERR_WRITE.
        name = getattr(error, "sqlite_errorname", "")
        remedy = next((said for code, said in _REMEDIES.items() if name.startswith(code)), None)
    return f"{error}; {remedy}" if remedy else str(error)
