"""The memory log: the contract, and what is its own."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from tickertape.core.errors import IllegalEvent, RunTrimmed, UnknownRun
from tickertape.core.events import TextDelta
from tickertape.logs import memory
from tickertape.logs.memory import MemoryLog
from tickertape.testing.log_contract import LogContract
from tickertape.testing.log_probes import ENDED, RETENTION_S, started


class TestMemoryLog(LogContract):
    """P8: it keeps what every log promises."""

    @asynccontextmanager
    async def open_log(self, place, *, retention_s, now):
        yield MemoryLog(retention_s=retention_s, now=now)

    async def test_nobody_is_woken_by_an_append_that_is_refused(self, log):
        """There is nothing new to read."""
        woken = []
        log.watch("r", lambda: woken.append(1))
        with pytest.raises(IllegalEvent):
            await log.append("r", [TextDelta("a"), ENDED, TextDelta("b")], epoch=1)
        assert [] == woken

    async def test_a_cancel_request_is_told_once(self, log):
        """Whoever repeats it."""
        told = []
        log.watch_cancels(lambda run_id, by: told.append((run_id, by)))
        await log.request_cancel("r", "user")
        await log.request_cancel("r", "user")
        assert [("r", "user")] == told

    async def test_what_is_remembered_of_trimmed_runs_is_bounded(self, log, clock, monkeypatch):
        """The oldest ids are forgotten first."""
        monkeypatch.setattr(memory, "MAX_TRIMMED_IDS", 2)
        for run_id in "abc":
            await log.create(started(run_id))
            await log.append(run_id, [ENDED], epoch=1)
        clock.now_s += RETENTION_S + 1
        await log.create(started("z"))
        with pytest.raises(UnknownRun):
            await log.head("a")
        for run_id in "bc":
            with pytest.raises(RunTrimmed):
                await log.head(run_id)
