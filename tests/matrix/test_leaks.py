"""A thousand runs in one process, three hundred of them with faults, leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections import Counter
from pathlib import Path

import pytest
from msgspec import Struct

from tests.matrix.checks import KEY, nothing_left_running, open_connections
from tests.matrix.conftest import FIGURES
from tests.matrix.dialects import DIALECTS, MODEL, Dialect
from tests.matrix.truths import DEADLINES
from tests.matrix.ways import serving_provider, settle
from tickertape.client.http import ServerReply
from tickertape.client.reader import async_start_run
from tickertape.core.errors import RunFailed
from tickertape.core.request import ChatRequest, Message
from tickertape.core.retry import Backoff
from tickertape.engine.step import Step
from tickertape.engine.tail import Tail
from tickertape.providers.http import ByteStream, HttpTransport
from tickertape.testing.fault_catalog import ENTRIES, fault_catalog
from tickertape.testing.fault_server import FaultServer

pytestmark = pytest.mark.virtual_time

RUNS = 1000
AT_A_TIME = 25
LEAVES, CANCELS = 5, 6
"""Which runs of each ten."""
# Every byte of these is a write of its own: they cost as much as all others together.
FAULTS = [entry.name for entry in ENTRIES if entry.name != "byte-by-byte"]


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="counts in Linux's /proc"
)
KEPT = (Step, Tail, ByteStream, ServerReply)
"""The parts of a run and of its readers."""


class Figures(Struct, frozen=True):
    """What a process holds."""

    descriptors: int
    threads: int
    tasks: int
    kept: dict[str, int]
    """How many of `KEPT` something still refers to."""

    def __str__(self) -> str:
        return (
            f"{self.descriptors} descriptors, {self.threads} threads, {self.tasks} tasks; "
            f"still referred to: {self.kept or 'nothing'}"
        )


def count() -> Figures:
    """Return what this process holds now."""
    gc.collect()
    return Figures(
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        tasks=len(asyncio.all_tasks()),
        kept=dict(Counter(type(each).__name__ for each in gc.get_objects() if type(each) in KEPT)),
    )


@needs_proc
async def test_a_thousand_runs_leave_nothing_open(record_property):
    """Descriptors, threads and tasks are as many as before; until then, connections are pooled."""
    dialect = DIALECTS[0]
    await serve_runs(dialect, 50)  # what is made once for a process is there from now on
    before = count()
    async with nothing_left_running():
        served = await serve_runs(dialect, RUNS)
    end = count()
    record_property(FIGURES, f"{RUNS} runs of {dialect.name}: {dict(sorted(served.outcomes))}")
    moments = {"before": before, "idle": served.idle, "after": served.after, "end": end}
    for moment, figures in moments.items():
        record_property(FIGURES, f"{moment}: {figures}")
    assert RUNS == sum(number for _, number in served.outcomes)
    assert (before.descriptors, before.threads, before.tasks) == (
        end.descriptors,
        end.threads,
        end.tasks,
    )
    # A pooled connection has two ends, both here, and a task of the fault server.
    assert served.idle.threads == served.after.threads
    assert served.after.descriptors - served.idle.descriptors == 2 * served.pooled
    assert served.after.tasks - served.idle.tasks == served.pooled


@needs_proc
async def test_runs_that_are_over_are_not_kept():
    """However they ended, nothing refers to their parts any more."""
    served = await serve_runs(DIALECTS[0], 300)
    assert served.idle.kept == served.after.kept  # while the log keeps the runs
    assert served.idle.kept == count().kept


class Served(Struct):
    """What became of some runs."""

    outcomes: list[tuple[str, int]]
    idle: Figures
    """Before the first run, when the servers run."""
    after: Figures
    """After the last."""
    pooled: int
    """Connections to the provider that are open by then."""


async def serve_runs(dialect: Dialect, runs: int) -> Served:
    """Run fault server, server and readers in this loop, for so many runs."""
    async with (
        asyncio.timeout(100_000),
        FaultServer(fault_catalog(), api_key=KEY) as faults,
        HttpTransport() as transport,
        serving_provider(dialect.provider(transport, url=faults.url, api_key=KEY), DEADLINES) as (
            url,
            _,
        ),
    ):
        idle = count()
        outcomes = await read_all(url, runs)
        assert await settle(lambda: all(exchange.ended_by for exchange in faults.exchanges))
        return Served(sorted(outcomes.items()), idle, count(), len(open_connections()))


async def read_all(url: str, runs: int) -> Counter[str]:
    """Start all runs, some at a time; return how many ended in which way."""
    numbers = iter(range(runs))
    outcomes: Counter[str] = Counter()

    async def read_some() -> None:
        for number in numbers:
            outcomes[await read_one(url, number)] += 1

    async with asyncio.TaskGroup() as readers:
        for _ in range(AT_A_TIME):
            readers.create_task(read_some())
    return outcomes


async def read_one(url: str, number: int) -> str:
    """Read one run: three of ten have a fault, one reader leaves and one cancels."""
    turn = number % 10
    model = MODEL
    if turn < 3:
        model = FAULTS[number // 10 % len(FAULTS)]
    elif turn in {LEAVES, CANCELS}:
        model = "slow"
    messages = [Message(role="user", content=f"Question {number}")]
    request = ChatRequest(messages=messages, model=model)
    async with async_start_run(url, request, backoff=Backoff(max_retries=0)) as stream:
        with contextlib.suppress(RunFailed):
            async for _ in stream:
                if turn == LEAVES:
                    return "left"
                if turn == CANCELS:
                    stream.cancel()
        return str(stream.response.outcome)
