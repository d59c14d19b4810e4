"""Random histories: the memory log agrees with the list, and a wrong one is found out."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from tickertape.core.events import TextDelta
from tickertape.logs.base import Slice
from tickertape.logs.memory import MemoryLog
from tickertape.testing.log_model import Add, Cancel, Crash, End, Pass, Read, Start, play
from tickertape.testing.log_probes import RETENTION_S

HISTORY = [
    Start(None, "k", "f"),
    Add(0, [TextDelta("a"), TextDelta("b")], times=2, is_fenced=False),
    Add(0, [TextDelta("a")], times=1, is_fenced=True),
    Read(0, part=0.5, limit=2),
    Read(0, part=1.5, limit=2),
    Start(None, "k", "f"),
    Start(None, "k", "g"),
    Cancel(0, "user"),
    Crash(),
    End(0),
    End(0),
    Pass(RETENTION_S + 1),
    Read(0, part=0, limit=1),
    Cancel(0, "user"),
    Start(None, "k", "g"),
]


def opening(kind):
    @asynccontextmanager
    async def open_log(place, *, retention_s, now):
        yield kind(retention_s=retention_s, now=now)

    return open_log


async def test_the_memory_log_agrees(tmp_path):
    """With every kind of step."""
    await play(HISTORY, tmp_path, open_log=opening(MemoryLog), after_crash=lambda place: None)


async def test_a_log_that_differs_is_found_out(tmp_path):
    """Here one that reads nothing."""

    class Empty(MemoryLog):
        async def read(self, run_id, *, after, limit=1024):
            await super().read(run_id, after=after, limit=limit)
            return Slice([], is_closed=False)

    with pytest.raises(AssertionError):
        await play(HISTORY, tmp_path, open_log=opening(Empty), after_crash=lambda place: None)
