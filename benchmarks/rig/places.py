"""Where ours keeps its runs while it is measured: by the server's name, a place for its log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.servers import redis

OURS: Final = ("ours", "ours_sqlite", "ours_redis", "ours_redis_aof")
"""Ours with each log: in memory, in a SQLite file, in a Redis without and with a file."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a server is told of its log."""

    setting: str
    database_pid: int | None = None
    """The database's process, where the log is in one."""


def available(names: Sequence[str] = OURS) -> list[str]:
    """Return those of the names whose log can be had on this machine."""
    return [name for name in names if redis.PROGRAM or not name.startswith("ours_redis")]


@contextmanager
def place(name: str, *, core: int) -> Iterator[Place]:
    """Make a place for the log of that server; what is in it is gone afterwards.

    A database runs on the server's core: the other one is the rig's.
    """
    match name:
        case "ours":
            yield Place("memory")
        case "ours_sqlite":
            with TemporaryDirectory(prefix="tickertape-log-") as folder:
                yield Place(f"sqlite:{folder}/log.db")
        case "ours_redis" | "ours_redis_aof":
            with redis.running(core=core, keeps_file=name == "ours_redis_aof") as (pid, port):
                yield Place(f"redis://127.0.0.1:{port}/0", pid)
        case _:
            raise ValueError(f"no place for {name!r}; there are {', '.join(OURS)}")
