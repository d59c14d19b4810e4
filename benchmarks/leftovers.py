"""What a thousand answers leave behind in the program that read them: files, threads, memory.

The program is a process of its own, so that the fault server, in a thread of this one,
adds nothing. A run is one call of a script function: read to its end, left early,
cancelled, cut or refused, sync and async in turn.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.findings import Finding
from tickertape import RunFailed, async_stream_chat, stream_chat, stream_completion
from tickertape.engine.background import background
from tickertape.testing.fault_catalog import fault_catalog
from tickertape.testing.fault_server import FaultServer

RUNS: Final = 1_000
_WARM_UP: Final = 3
"""Turns of every kind before counting: what is kept on purpose (one connection) is there then."""
_TIMEOUT_S: Final = 300.0
_SETTLE_TIMEOUT_S: Final = 10.0
_MESSAGES: Final = [{"role": "user", "content": "Hi"}]
_UNITS: Final = {"open files": "files", "threads": "threads", "tasks": "tasks", "memory": "KiB"}


def run(*, quick: bool) -> list[Finding]:
    """Count before and after the runs."""
    runs = RUNS // 10 if quick else RUNS
    before, after = measure(runs)
    return [
        Finding(
            name=f"{what} left by {runs} runs",
            unit=unit,
            figures={"ours": after[what] - before[what]},
            # Python's allocator gives no promise; the others are counts.
            ceiling=None if what == "memory" else 0,
            notes=(f"{before[what]} before, {after[what]} after",),
        )
        for what, unit in _UNITS.items()
    ]


def measure(runs: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return the program's counts before and after the runs, as it prints them."""
    with FaultServer.in_thread(fault_catalog()) as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", __name__, str(runs)],
            env={**os.environ, **server.openai_environment, "TICKERTAPE_MODEL": "openai/any"},
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            timeout=_TIMEOUT_S,
            check=True,
        )
    before, after = json.loads(done.stdout)
    return before, after


def _read() -> None:
    assert "".join(stream_chat(_MESSAGES))


def _complete() -> None:
    assert "".join(stream_completion("Hi"))


def _leave() -> None:
    for _ in stream_chat(_MESSAGES, "stall"):
        break


def _cancel() -> None:
    stream = stream_chat(_MESSAGES, "stall")
    for _ in stream:
        stream.cancel()
    assert stream.response.outcome == "cancelled"


def _be_cut() -> None:
    _fail("truncated")


def _be_refused() -> None:
    _fail("filtered-prompt")


def _fail(model: str) -> None:
    try:
        "".join(stream_chat(_MESSAGES, model))
    except RunFailed:
        return
    raise AssertionError(f"{model} did not fail")


def _read_async() -> None:
    async def read() -> None:
        assert [text async for text in async_stream_chat(_MESSAGES)]

    asyncio.run(read())


def _leave_async() -> None:
    async def leave() -> None:
        async for _ in async_stream_chat(_MESSAGES, "stall"):
            break

    asyncio.run(leave())


KINDS: Final[tuple[Callable[[], None], ...]] = (
    _read, _complete, _leave, _cancel, _be_cut, _be_refused, _read_async, _leave_async,
)  # fmt: skip


def counts() -> dict[str, int]:
    """Return what this process has now, once what was dropped is closed."""
    _read()  # so that the one connection that is kept is there, whatever came before
    gc.collect()
    tasks = background.call(_settled())
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "open files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "threads": threading.active_count(),
        "tasks": tasks,
        "memory": pages * os.sysconf("SC_PAGESIZE") // 1024,
    }


async def _settled() -> int:
    """Wait until what was dropped is closed; return how many tasks still go on."""
    try:
        async with asyncio.timeout(_SETTLE_TIMEOUT_S):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.001)
    except TimeoutError:
        pass  # then they are what is left behind
    await asyncio.sleep(0.01)  # sockets that were given up are closed in the loop's next turn
    return len(asyncio.all_tasks()) - 1


def main() -> None:
    """Run what the command line asks for, and print both counts as JSON."""
    runs = int(sys.argv[1])
    for turn in range(_WARM_UP * len(KINDS)):
        KINDS[turn % len(KINDS)]()
    before = counts()
    for turn in range(runs):
        KINDS[turn % len(KINDS)]()
    print(json.dumps([before, counts()]))


if __name__ == "__main__":
    main()
