"""Random histories: the memory log agrees with the list, and a wrong one is found out."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from tickertape.core.events import TextDelta
from tickertape.logs.base import Slice
from tickertape.logs.memory import MemoryLog
from tickertape.testing.log_history import (
    Add,
    Cancel,
    Crash,
    End,
    NoteRead,
    Pass,
    Read,
    Release,
    Renew,
    Start,
    TakeOver,
)
from tickertape.testing.log_model import play
from tickertape.testing.log_probes import RETENTION_S, TERM_S

HISTORY = [
    Renew("a"),
    Start(None, "k", "f", "a"),
    Add(0, [TextDelta("a"), TextDelta("b")], times=2, behind=0),
    Add(0, [TextDelta("a")], times=1, behind=-1),
    TakeOver(0, "b", behind=0),
    Pass(TERM_S),
    NoteRead(0),
    TakeOver(0, "b", behind=0),
    Add(0, [TextDelta("late")], times=1, behind=1),
    Renew("b"),
    Renew("a"),
    TakeOver(0, "a", behind=0),
    TakeOver(0, "a", behind=1),
    Release("b"),
    TakeOver(0, "a", behind=0),
    Add(0, [TextDelta("c")], times=1, behind=0),
    Read(0, part=0.5, limit=2),
    Read(0, part=1.5, limit=2),
    Start(None, "k", "f"),
    Start(None, "k", "g"),
    Cancel(0, "user"),
    Crash(),
    Renew("a"),
    End(0),
    End(0),
    TakeOver(0, "b", behind=0),
    Pass(RETENTION_S + 1),
    Read(0, part=0, limit=1),
    Cancel(0, "user"),
    TakeOver(0, "b", behind=0),
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


LEASED = [Renew("a"), Start(None, None, "f", "a"), TakeOver(0, "a", behind=0)]


def living_elsewhere(on_reopening=lambda log: None):
    """Return how a log is opened that goes on while its user does not."""
    logs = []

    @asynccontextmanager
    async def open_log(place, *, retention_s, now):
        if logs:
            on_reopening(logs[0])
        else:
            logs.append(MemoryLog(retention_s=retention_s, now=now))
        yield logs[0]

    return open_log


async def test_a_log_may_keep_runs_open_through_a_crash(tmp_path):
    """With their leases; the model goes on with that, and lets time pass."""
    history = [
        *LEASED,
        Crash(),
        TakeOver(0, "b", behind=0),
        Renew("a"),
        Add(0, [TextDelta("b")], times=1, behind=0),
        Pass(TERM_S),
        TakeOver(0, "b", behind=0),
        Crash(),
        Add(0, [TextDelta("a")], times=1, behind=1),
        End(0),
    ]
    await play(history, tmp_path, open_log=living_elsewhere(), after_crash=lambda place: place)


async def test_a_log_that_keeps_runs_open_must_keep_their_leases(tmp_path):
    """Or others take over from a writer that is alive."""
    forgetful = living_elsewhere(lambda log: log._leases.release("a"))
    with pytest.raises(AssertionError):
        await play(
            [*LEASED, Crash()], tmp_path, open_log=forgetful, after_crash=lambda place: place
        )
