"""Which log a server uses, as one setting: `memory`, `sqlite` or `sqlite:PATH`.

The only file that imports platformdirs, which knows where a program's state lives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tickertape.core.errors import ConfigurationError, MissingExtra
from tickertape.logs.base import EventLog
from tickertape.logs.memory import MemoryLog
from tickertape.logs.sqlite import RETENTION_S, SqliteLog

MEMORY: Final = "memory"
SQLITE: Final = "sqlite"

_FORMS: Final = "memory, sqlite, or sqlite:PATH (sqlite:/var/lib/tickertape/log.db)"


def check_log_setting(setting: str) -> None:
    """Raise if the setting names no log.

    Raises:
        ConfigurationError: it does not; the message gives the forms that there are.
    """
    kind, separator, path = setting.partition(":")
    is_form = setting in {MEMORY, SQLITE} or (kind == SQLITE and separator and path)
    # sqlite://… is a URL with a host, which no file has; sqlite:///… is a path again.
    if not is_form or (path.startswith("//") and not path.startswith("///")):
        raise ConfigurationError(f"there is no log {setting!r}; use {_FORMS}")


@asynccontextmanager
async def open_log(setting: str) -> AsyncIterator[EventLog]:
    """Open the log that the setting names, and close it after.

    Raises:
        ConfigurationError: it names none, or that one can't be opened.
    """
    path = log_path(setting)
    if path is None:
        yield MemoryLog()
    else:
        async with SqliteLog(path) as log:
            yield log


def describe_log(setting: str) -> str:
    """Return what the log is, for people.

    Raises:
        ConfigurationError: the setting names no log.
    """
    path = log_path(setting)
    if path is None:
        return "in memory: runs are kept while the server runs"
    return f"{path}: runs are kept for {RETENTION_S / 3600:g} hours"


def log_path(setting: str) -> Path | None:
    """Return the log's file; None for one in memory. The default one's folder is made.

    Raises:
        ConfigurationError: the setting names no log, or the folder can't be made.
    """
    check_log_setting(setting)
    kind, _, path = setting.partition(":")
    if kind == MEMORY:
        return None
    return Path(path).expanduser() if path else _default_path()


def _default_path() -> Path:
    try:
        from platformdirs import user_state_path
    except ModuleNotFoundError as error:
        raise MissingExtra("serve", needed_for="the log's default place") from error
    folder = user_state_path("tickertape", appauthor=False)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"can't make the folder {str(folder)!r} for the log: {error}; "
            "choose another with sqlite:PATH, or use memory"
        ) from error
    return folder / "log.db"
