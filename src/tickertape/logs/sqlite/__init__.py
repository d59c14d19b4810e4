"""The log in one SQLite file, for one process."""

from tickertape.logs.sqlite.log import RETENTION_S, SqliteLog

__all__ = ["RETENTION_S", "SqliteLog"]
