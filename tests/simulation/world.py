"""One schedule, played: servers, a log, a provider, readers and faults, on one loop.

Knows what happened; whether it was right is for `checks` to say.
"""

from __future__ import annotations

import asyncio
import logging
import random as global_random
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.simulation.faults import play_fault
from tests.simulation.log_link import LogLink
from tests.simulation.loop import Owner, SimulationLoop
from tests.simulation.network import Network
from tests.simulation.process import Clock, Parts, Process, Server
from tests.simulation.provider import SimulatedProvider
from tests.simulation.readers import (
    Habits,
    Readers,
    Reading,
    cancel_run,
    read_as_client,
    read_as_event_source,
    start_of,
)
from tests.simulation.schedule import FAULTS_END_S, Fault, ReaderPlan, Schedule, StartPlan
from tests.simulation.stores import MemoryStore, RedisStore
from tests.simulation.trace import Trace
from tickertape.core.cursor import parse_cursor
from tickertape.core.errors import TickertapeError
from tickertape.logs.memory import MemoryLog
from tickertape.testing.clock import Stuck

SETTLES_WITHIN_S: Final = 150.0
"""After the last fault: a run's own deadline, a lease, and a reader's patience."""

CLOSES_WITHIN_S: Final = 30.0
"""When the last connections to the model are closed: one that is read no more
closes with the next thing that its process does."""

STOPS_WITHIN_S: Final = 60.0


@dataclass(slots=True)
class Cancel:
    """One cancel that somebody asked for."""

    start: str
    asked_at_s: float
    acknowledged_at_s: float | None = None
    error: TickertapeError | None = None


@dataclass(slots=True)
class History:
    """What happened, for `checks`."""

    readings: list[Reading] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    troubles: dict[str, list[tuple[float, float, str]]] = field(default_factory=dict)
    """For each process's name: when something was wrong with it, from, to, and what."""
    failures: list[str] = field(default_factory=list)
    """What was seen to be wrong while it happened."""


class World:
    """Everything in one schedule."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        is_traced: bool = False,
        log: type[MemoryLog] = MemoryLog,
        link: type[LogLink] = LogLink,
    ) -> None:
        """`log` and `link` are those of a schedule on the log in memory: mutants have others."""
        self.schedule = schedule
        self.random = Random(schedule.seed)
        self.loop = SimulationLoop(self.random)
        self.trace = Trace(is_wanted=is_traced, time=self.loop.time)
        self.history = History()
        self._owner = Owner("world")
        self._network = Network(self.loop, self.random, self._owner)
        clock = Clock(self.loop)
        self.store: MemoryStore | RedisStore
        if schedule.log == "redis":
            self.store = RedisStore(clock, self._network, self.trace)
        else:
            self.store = MemoryStore(log(now=clock), self._network, self.trace, link)
        self.journal = self.store.journal
        self.provider = SimulatedProvider(
            self._network, self.trace, {start.name: start.script for start in schedule.starts}
        )
        self._runs = 0
        parts = Parts(
            network=self._network,
            trace=self.trace,
            provider=self.provider,
            open_log=self.store.open_log,
            abandon_after_s=schedule.abandon_after_s,
            make_run_id=self._next_run_id,
        )
        self.servers = [Server(f"s{index}", parts) for index in range(schedule.servers)]
        self._readers = Readers(self.servers, self.random, self.trace, self._check_at_once)

    def play(self) -> None:
        """Play the schedule to its end; what went wrong is in `history.failures`."""
        state = global_random.getstate()
        global_random.seed(self.schedule.seed)
        logged = _Logged(self.trace)
        try:
            main = self.loop.create_task(self._main(), name="main", context=self._owner.context)
            self._run(main.done, limit_s=FAULTS_END_S + SETTLES_WITHIN_S, what="P5: never settles")
            if main.done():
                main.result()
            for server in self.servers:
                process = server.process
                self.loop.call_soon(process.stop, 0.0, context=process.context)
            limit_s = self.loop.time() + STOPS_WITHIN_S
            self._run(
                lambda: all(server.process.is_gone for server in self.servers),
                limit_s=limit_s,
                what="P5: a server does not stop",
            )
            for server in self.servers:
                for process in server.lives:
                    if error := process.error():
                        self.history.failures.append(f"{process.name} ended badly: {error!r}")
            self.history.failures += self.loop.failures
            self.history.failures += logged.errors
        finally:
            logged.close()
            self.loop.bury()
            global_random.setstate(state)

    def _run(self, is_over: Callable[[], bool], *, limit_s: float, what: str) -> None:
        try:
            self.loop.run_until(is_over, limit_s=limit_s)
        except Stuck as error:
            waiting = [each.name for each in self.history.readings if not each.is_over]
            pending = self.loop.pending()
            self.history.failures.append(f"{what}: {error}; {waiting} wait; pending: {pending}")

    @property
    def prompt_s(self) -> float:
        """Return how long anything may take while the network works: a few of its slowest ways."""
        slowness_s = max(self._network.slowness_s, self._network.log_slowness_s or 0.0)
        return 0.5 + 50 * slowness_s

    def _next_run_id(self) -> str:
        self._runs += 1
        return f"run{self._runs}"

    async def _main(self) -> None:
        async with asyncio.TaskGroup() as group:
            for start in self.schedule.starts:
                group.create_task(self._play_start(group, start), name=start.name)
            for fault in self.schedule.faults:
                group.create_task(play_fault(self, fault), name=f"fault {fault.kind}")
        await self._until_runs_have_ended()

    async def _until_runs_have_ended(self) -> None:
        """Also those that nobody reads to their end."""
        while self.store.has_open_runs():
            await asyncio.sleep(1)
        await asyncio.sleep(CLOSES_WITHIN_S)
        self.history.failures += [
            f"P4: the model still answers {stream.name}" for stream in self.provider.streams
        ]

    async def _play_start(self, group: asyncio.TaskGroup, start: StartPlan) -> None:
        await asyncio.sleep(start.at_s)
        request = start_of(start.name, f"key of {start.name}")
        plans = [
            (0.0, start.starter),
            *[(after_s, start.starter) for after_s in start.repeats_after_s],
        ]
        for index, (after_s, plan) in enumerate(plans):
            reading = self._reading(f"{start.name}-start{index}", start)
            group.create_task(self._start(after_s, plan, reading, request), name=reading.name)
        for index, plan in enumerate(start.readers):
            reading = self._reading(f"{start.name}-read{index}", start)
            group.create_task(self._read(plan, reading), name=reading.name)
        for after_s in start.cancels_after_s:
            group.create_task(self._cancel(start.name, after_s), name=f"cancel of {start.name}")

    def _reading(self, name: str, start: StartPlan) -> Reading:
        reading = Reading(name, start.name)
        self.history.readings.append(reading)
        return reading

    async def _start(self, after_s: float, plan: ReaderPlan, reading: Reading, request) -> None:
        await asyncio.sleep(after_s)
        await read_as_client(self._readers, reading, _habits(plan), start=request)

    async def _read(self, plan: ReaderPlan, reading: Reading) -> None:
        await asyncio.sleep(plan.joins_after_s)
        reading.run_id = await self._run_of(reading.start)
        if reading.run_id is None:
            reading.is_over = reading.has_left = True
        elif plan.kind == "client":
            await read_as_client(self._readers, reading, _habits(plan), start=None)
        else:
            await read_as_event_source(self._readers, reading, _habits(plan))

    async def _cancel(self, start: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        run_id = await self._run_of(start)
        if run_id is None:
            return
        cancel = Cancel(start, self.loop.time())
        self.history.cancels.append(cancel)
        self.trace.note("canceller", f"cancels {run_id}")
        try:
            await cancel_run(self._readers, run_id)
            cancel.acknowledged_at_s = self.loop.time()
            self.trace.note("canceller", f"{run_id}: acknowledged")
        except TickertapeError as error:
            cancel.error = error

    async def _run_of(self, start: str) -> str | None:
        """Return the run of a start once a client has learned its id; None if none ever does."""
        while True:
            mine = [each for each in self.history.readings if each.start == start]
            for reading in mine:
                if reading.run_id is not None:
                    return reading.run_id
            if all(each.is_over for each in mine if "-start" in each.name):
                return None
            await asyncio.sleep(0.05)

    def note_trouble(self, process: Process, fault: Fault) -> None:
        """Note that something is wrong with a process, for `checks`."""
        self.trace.note("fault", f"{fault.kind} of {process.name} for {fault.lasts_s:.2f} s")
        now_s = self.loop.time()
        drains_s = fault.amount_s if fault.kind == "drain" else 0.0
        trouble = (now_s, now_s + fault.lasts_s + drains_s, fault.kind)
        self.history.troubles.setdefault(process.name, []).append(trouble)

    def _check_at_once(self, reading: Reading, block_id: str) -> None:
        """P3: what a reader gets is in the log by then."""
        cursor = parse_cursor(block_id)
        if self.schedule.forgets:
            return  # it may have been there
        if cursor is None or self.store.end_offset(reading.run_id or "") <= cursor.offset:
            self.history.failures.append(
                f"P3: {reading.name} got {block_id} of {reading.run_id}, which is not in the log"
            )


def _habits(plan: ReaderPlan) -> Habits:
    return Habits(plan.pause_chance, plan.pause_s, plan.leaves_after_s)


class _Logged(logging.Handler):
    """Notes what the code logs in the trace, and its errors as failures."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(logging.DEBUG if trace.is_wanted else logging.ERROR)
        self.errors: list[str] = []
        self._trace = trace
        self._logger = logging.getLogger("tickertape")
        self._before = (self._logger.level, self._logger.propagate)
        self._logger.setLevel(self.level)
        self._logger.propagate = False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Note one line."""
        text = record.getMessage()
        if record.exc_info:
            text += f": {record.exc_info[1]!r}"
        self._trace.note("logged", text)
        if record.levelno >= logging.ERROR:
            self.errors.append(f"logged: {text}")

    def close(self) -> None:
        """Listen no more."""
        self._logger.removeHandler(self)
        self._logger.setLevel(self._before[0])
        self._logger.propagate = self._before[1]
        super().close()
