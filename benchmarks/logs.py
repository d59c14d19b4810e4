"""What an append costs, and how long it takes to be acknowledged: 32 runs at once.

Each run waits for its append before it makes the next one, as a run's writer does.
The logs are on the same event loop as in `tickertape serve`, and nothing else is. A
database is a process of its own, on any core; its CPU is not in these figures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import uvloop

from benchmarks import azure_stream
from benchmarks.findings import Finding, check_text
from benchmarks.servers import redis
from tickertape.core.events import RunEnded, RunStarted, TextDelta, Timings
from tickertape.core.record import BEGINNING
from tickertape.logs.base import EventLog
from tickertape.logs.memory import MemoryLog
from tickertape.logs.redis import RedisLog
from tickertape.logs.sqlite import SqliteLog

RUNS: Final = 32

OpenLog = Callable[[Path], AbstractAsyncContextManager[EventLog]]


@asynccontextmanager
async def _memory(_folder: Path) -> AsyncIterator[EventLog]:
    yield MemoryLog()


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[EventLog]:
    async with SqliteLog(folder / "log.db") as log:
        yield log


@asynccontextmanager
async def _sqlite_full(folder: Path) -> AsyncIterator[EventLog]:
    async with SqliteLog(folder / "log.db", synchronous="full") as log:
        yield log


@asynccontextmanager
async def _redis(_folder: Path) -> AsyncIterator[EventLog]:
    with redis.running(keeps_file=False) as (_, port):
        async with RedisLog(f"redis://127.0.0.1:{port}/0") as log:
            yield log


@asynccontextmanager
async def _redis_file(_folder: Path) -> AsyncIterator[EventLog]:
    with redis.running(keeps_file=True) as (_, port):
        async with RedisLog(f"redis://127.0.0.1:{port}/0") as log:
            yield log


LOGS: Final[dict[str, OpenLog]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "sqlite-full": _sqlite_full,
    **({"redis": _redis, "redis-file": _redis_file} if redis.PROGRAM else {}),
}
"""Redis without and with an append-only file, where it is installed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One log under one load."""

    seconds: float
    cpu_s: float
    appends: int
    acknowledged_after_s: list[float]
    """How long each append took."""


def run(*, quick: bool) -> list[Finding]:
    """Measure every log with small appends and with larger ones."""
    appends, rounds = (50, 1) if quick else (1500, 3)
    return [
        compare(f"log, {RUNS} runs, {name}", size=size, appends=appends, rounds=rounds)
        for name, size in (("one event an append", 1), ("8 events an append", 8))
    ]


def compare(name: str, *, size: int, appends: int, rounds: int) -> Finding:
    """Let every log take the same appends in turn, `rounds` times over.

    Raises:
        TextDiffers: what a log returns is not what it was given.
    """
    found: dict[str, list[Measured]] = {who: [] for who in LOGS}
    for _ in range(rounds):
        for who, open_log in LOGS.items():
            measured = uvloop.run(measure(who, open_log, size=size, appends=appends))
            found[who].append(measured)
    return Finding(
        name=name,
        unit="µs/append",
        figures={
            who: median(one.seconds / one.appends * 1e6 for one in windows)
            for who, windows in found.items()
        },
        notes=tuple(_describe(who, windows) for who, windows in found.items()),
    )


async def measure(who: str, open_log: OpenLog, *, size: int, appends: int) -> Measured:
    """Write all runs at once, and read each of them back."""
    words = azure_stream.tokens(size * appends)
    acknowledged_after_s: list[float] = []

    async def write(log: EventLog, run_id: str) -> None:
        for at in range(0, len(words), size):
            events = [TextDelta(word) for word in words[at : at + size]]
            begun_s = time.perf_counter()
            await log.append(run_id, events, epoch=1)
            acknowledged_after_s.append(time.perf_counter() - begun_s)

    with TemporaryDirectory(prefix="tickertape-log-") as folder:
        async with open_log(Path(folder)) as log:
            run_ids = [f"run-{number}" for number in range(RUNS)]
            for run_id in run_ids:
                await log.create(
                    RunStarted(run_id=run_id, model="m", provider="p", created_at=time.time())
                )
            started_s, cpu_s = time.perf_counter(), time.process_time()
            await asyncio.gather(*(write(log, run_id) for run_id in run_ids))
            seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
            for run_id in run_ids:
                await log.append(run_id, [_ENDED], epoch=1)
                check_text("".join(words), await _read(log, run_id), who=who)
    return Measured(seconds, cpu_s, RUNS * appends, acknowledged_after_s)


async def _read(log: EventLog, run_id: str) -> str:
    texts: list[str] = []
    after = BEGINNING
    while records := (await log.read(run_id, after=after)).records:
        texts += [record.event.text for record in records if isinstance(record.event, TextDelta)]
        after = records[-1].offset
    return "".join(texts)


def _describe(who: str, windows: list[Measured]) -> str:
    appends_per_s = median(one.appends / one.seconds for one in windows)
    cpu_us = median(one.cpu_s / one.appends * 1e6 for one in windows)
    p50_ms = median(median(one.acknowledged_after_s) for one in windows) * 1e3
    return (
        f"{who}: {appends_per_s:,.0f} appends/s, {cpu_us:.1f} µs of CPU each, "
        f"acknowledged after {p50_ms:.3f} ms (p50)"
    )


_ENDED: Final = RunEnded(
    outcome="completed", length=0, timings=Timings(first_progress_s=None, duration_s=0.0)
)
