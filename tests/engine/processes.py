"""Several engines over one log, as if in processes of their own, which can be killed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

from tickertape.core.events import TextDelta
from tickertape.engine.engine import Engine


class Processes:
    """The engines that a test has started."""

    def __init__(self, log) -> None:
        self.log = log
        self._open: dict[Engine, AsyncExitStack] = {}

    async def start(self, **settings) -> Engine:
        """Start a process: an engine that is named by its number."""
        name = f"process {len(self._open)}"
        now = asyncio.get_running_loop().time
        engine = Engine(self.log, **{"now": now, "make_holder": lambda: name, **settings})
        self._open[engine] = stack = AsyncExitStack()
        await stack.enter_async_context(engine)
        return engine

    async def kill(self, engine: Engine) -> None:
        """Stop an engine as `kill -9` would: no end is written, no lease given back.

        A provider that stores the answer is not told either.
        """
        await freeze(engine)
        for _, running in engine._running.items():
            running.step.detach()
        await engine._running.give_up()
        engine._running.close()
        self._open[engine].pop_all()

    async def close(self) -> None:
        for stack in self._open.values():
            await stack.aclose()


@asynccontextmanager
async def processes_over(log):
    processes = Processes(log)
    try:
        yield processes
    finally:
        await processes.close()


async def freeze(engine: Engine) -> None:
    """Let the engine's keeper do nothing more, as if its loop was stalled."""
    await engine._keeper.stop()
    engine._keeper._is_stopped = False


def thaw(engine: Engine) -> None:
    """Let the keeper go on."""
    engine._keeper.start()


async def read_to_end(engine, run_id, **where):
    """Return a reader's records up to the end of the run."""
    records = []
    async with await engine.tail(run_id, **where) as tail:
        while not tail.is_over:
            records += await tail.next()
    return records


async def end_of(engine, run_id):
    """Return how the run ends, once it has."""
    return (await read_to_end(engine, run_id))[-1].event


def text_of(records):
    return "".join(r.event.text for r in records if isinstance(r.event, TextDelta))


def now_s():
    return asyncio.get_running_loop().time()
