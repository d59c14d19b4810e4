"""The benchmark of logs works, and a log that loses text does not pass it."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from benchmarks import logs
from benchmarks.findings import TextDiffers
from tickertape.logs.memory import MemoryLog


def test_every_log_has_a_figure():
    """And took every append."""
    found = logs.compare("smoke", size=2, appends=3, rounds=1)
    assert set(logs.LOGS) == set(found.figures)


async def test_a_lost_append_fails_the_comparison():
    """Whatever its speed."""

    class Quick(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            return await super().append(run_id, events[:1], epoch=epoch)

    @asynccontextmanager
    async def open_log(folder):
        yield Quick()

    with pytest.raises(TextDiffers):
        await logs.measure("quick", open_log, size=2, appends=3)
