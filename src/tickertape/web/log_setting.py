"""Which log a server uses, as one setting: `memory`, `sqlite`, `sqlite:PATH` or `redis://…`.

The only file that imports platformdirs, which knows where a program's state lives.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tickertape.core.errors import ConfigurationError, MissingExtra
from tickertape.logs import memory, sqlite
from tickertape.logs.base import EventLog
from tickertape.logs.memory import MemoryLog
from tickertape.logs.sqlite import SqliteLog
from tickertape.web.redis_url import SCHEMES, mask, parse_redis_url

MEMORY: Final = "memory"
SQLITE: Final = "sqlite"
VARIABLE: Final = "TICKERTAPE_LOG"
"""The environment's variable for it. A password is better there than in a command line."""

SHARED_RETENTION_S: Final = 86_400.0
"""How long Redis keeps a run after its end, unless told."""

_FORMS: Final = (
    "memory, sqlite, sqlite:PATH (sqlite:/var/lib/tickertape/log.db), "
    "or redis://HOST:PORT/DATABASE (rediss:// for TLS, unix:///PATH for a socket)"
)


def check_log_setting(setting: str) -> None:
    """Raise if the setting names no log.

    Raises:
        ConfigurationError: it does not; the message gives the forms that there are.
    """
    if is_shared(setting):
        parse_redis_url(setting)
        return
    kind, separator, path = setting.partition(":")
    is_form = setting in {MEMORY, SQLITE} or (kind == SQLITE and separator and path)
    # sqlite://… is a URL with a host, which no file has; sqlite:///… is a path again.
    if not is_form or (path.startswith("//") and not path.startswith("///")):
        raise ConfigurationError(f"there is no log {mask(setting)!r}; use {_FORMS}")


def check_retention(retention_s: float | None) -> None:
    """Raise if runs can't be kept for so long after their end.

    Raises:
        ConfigurationError: not more than 0 seconds, or for ever.
    """
    if retention_s is not None and not (retention_s > 0 and math.isfinite(retention_s)):
        raise ConfigurationError(
            f"retention_s must be more than 0 seconds, not {retention_s!r}: "
            "it is how long a run is kept after its end"
        )


def is_shared(setting: str) -> bool:
    """Tell whether many processes can have this log at once."""
    return setting.partition(":")[0] in SCHEMES


@asynccontextmanager
async def open_log(setting: str, *, retention_s: float | None = None) -> AsyncIterator[EventLog]:
    """Open the log that the setting names, and close it after.

    A run is kept for `retention_s` after its end; None is the log's own default.

    Raises:
        ConfigurationError: it names none, or that one can't be opened.
    """
    kept_s = retention_of(setting, retention_s)
    if is_shared(setting):
        place = parse_redis_url(setting)
        # Which imports the client, and says so where that is not installed.
        from tickertape.logs.redis import RedisLog

        async with RedisLog(place.url, prefix=place.prefix, retention_s=kept_s) as redis_log:
            yield redis_log
    elif (path := log_path(setting)) is None:
        yield MemoryLog(retention_s=kept_s)
    else:
        async with SqliteLog(path, retention_s=kept_s) as log:
            yield log


def describe_log(setting: str, *, retention_s: float | None = None) -> str:
    """Return what the log is, for people. It names no user and no password.

    Raises:
        ConfigurationError: the setting names no log.
    """
    kept = f"runs are kept for {_for_people(retention_of(setting, retention_s))}"
    if is_shared(setting):
        place = parse_redis_url(setting)
        return f"Redis at {place.place}, keys {place.prefix}*: {kept}"
    path = log_path(setting)
    if path is None:
        return f"in memory: {kept} while the server runs"
    return f"{path}: {kept}"


def retention_of(setting: str, retention_s: float | None) -> float:
    """Return for how many seconds the log keeps a run after its end.

    Raises:
        ConfigurationError: the setting names no log, or the time is none.
    """
    check_log_setting(setting)
    check_retention(retention_s)
    if retention_s is not None:
        return retention_s
    if is_shared(setting):
        return SHARED_RETENTION_S
    return memory.RETENTION_S if setting == MEMORY else sqlite.RETENTION_S


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


def _for_people(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds:g} seconds"
    return "an hour" if seconds == 3600 else f"{seconds / 3600:g} hours"


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
