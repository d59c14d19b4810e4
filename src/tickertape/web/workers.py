"""Several workers on one socket: starts them, keeps them running, and stops them.

The parent serves nobody. It is the owner of every worker, and ends no other process.

A worker is a new interpreter that inherits the listening socket, and not a fork: what
a fork copies (event loops, threads, a loaded model, connections to the log) is of no
use in two processes. Nor is it a process of `multiprocessing`, which adds one of its
own to track resources, and imports the program's main module once more.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import msgspec

from tickertape.core.errors import ConfigurationError, WorkersFailed
from tickertape.core.retry import Backoff
from tickertape.web.serve_settings import ServeSettings
from tickertape.web.worker import DRAIN, END, Report, encode_settings

logger = logging.getLogger("tickertape.web")

RESTARTS: Final = Backoff(first_s=0.5, longest_s=10.0, max_retries=8)
"""When a worker that died is replaced. Deaths are counted from the last one that served well."""
SERVED_WELL_S: Final = 30.0
"""A worker that served for so long has not failed to start; its death is the first again."""
STOP_MARGIN_S: Final = 30.0
"""How long after the last answer a worker may take: a log that is away holds up the ends of
its runs for half of that (`engine.writer`). Then it is killed."""


def run_workers(
    settings: ServeSettings,
    listener: socket.socket,
    *,
    environment: Mapping[str, str],
    on_ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT. `on_ready` is called once, when all workers serve.

    The first signal drains all workers, a second one ends their runs.

    Raises:
        ConfigurationError: a worker could not begin; the message is the worker's.
        WorkersFailed: workers die as soon as they start, or did not stop.
    """
    asyncio.run(_Workers(settings, listener, environment, on_ready).run())


def restart_wait_s(failures: int, *, others_serve: bool, fraction: float) -> float | None:
    """Return how long to wait before a worker is replaced, after so many failures in a row.

    None means give up; while others serve, that is never.
    """
    wait_s = RESTARTS.wait_s(failures, fraction=fraction)
    return RESTARTS.longest_s if wait_s is None and others_serve else wait_s


class _Worker:
    """One process, from its start to its end."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.is_ready = False
        self.has_served = False
        self.complaint: str | None = None

    async def report(self) -> bool:
        """Wait until it serves, and tell whether it does."""
        assert self.process.stdout is not None
        if line := await self.process.stdout.readline():
            self.complaint = msgspec.json.decode(line, type=Report).complaint
            self.is_ready = self.has_served = self.complaint is None
        return self.is_ready

    def order(self, what: bytes) -> None:
        """Give an order. One that does not serve yet has nothing to drain: it is ended."""
        if self.process.returncode is not None:
            return
        if self.is_ready:
            assert self.process.stdin is not None
            self.process.stdin.write(what)
        else:
            self.process.terminate()

    async def end(self) -> None:
        """Wait for its end."""
        await self.process.wait()
        self.is_ready = False

    def __str__(self) -> str:
        code = self.process.returncode
        if code is None:
            return f"worker {self.process.pid}"
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"worker {self.process.pid} ({how})"


class _Workers:
    """All workers of one server."""

    def __init__(
        self,
        settings: ServeSettings,
        listener: socket.socket,
        environment: Mapping[str, str],
        on_ready: Callable[[], None],
        *,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._environment = environment
        self._on_ready = on_ready
        self._fraction = fraction
        self._workers: set[_Worker] = set()
        self._killed: list[str] = []
        self._was_ready = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keep the workers running until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        slots = [asyncio.create_task(self._keep()) for _ in range(self._settings.workers)]
        try:
            await asyncio.wait(slots, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            if not all(slot.done() for slot in slots):
                self._stop()
            await asyncio.wait(slots)
            await asyncio.gather(*[worker.end() for worker in self._workers])
        for slot in slots:
            slot.result()
        if self._killed:
            raise WorkersFailed(f"did not stop in time, and killed: {', '.join(self._killed)}")

    async def _keep(self) -> None:
        """Keep one worker running: start it, and another when it dies."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            worker = await self._start()
            started_at_s = loop.time()
            if await worker.report():
                self._say_ready()
            await worker.end()
            self._workers.discard(worker)
            if self._stopping.is_set():
                return
            served_well = loop.time() - started_at_s >= SERVED_WELL_S and not worker.complaint
            failures = 1 if served_well else failures + 1
            await self._pause(self._restart_after(worker, failures))

    async def _start(self) -> _Worker:
        descriptor = self._listener.fileno()
        try:
            process = await asyncio.create_subprocess_exec(
                # -P: a file in the working directory must not stand in for a module of ours.
                *[sys.executable, "-P", "-m", "tickertape.web.worker", str(descriptor)],
                env=dict(self._environment),
                stdin=PIPE,
                stdout=PIPE,
                pass_fds=[descriptor],
                # Out of the terminal's reach: Ctrl-C is the parent's to pass on, once.
                process_group=0,
            )
        except OSError as error:
            raise WorkersFailed(f"the system starts no more processes: {error}") from error
        worker = _Worker(process)
        self._workers.add(worker)
        assert process.stdin is not None
        process.stdin.write(encode_settings(self._settings))
        if self._stopping.is_set():
            worker.order(DRAIN)
        return worker

    def _say_ready(self) -> None:
        ready = sum(worker.is_ready for worker in self._workers)
        if not self._was_ready and ready == self._settings.workers:
            self._was_ready = True
            self._on_ready()

    def _restart_after(self, worker: _Worker, failures: int) -> float:
        """Return how long to wait before another worker takes this one's place.

        Raises:
            ConfigurationError, WorkersFailed: another would be no better.
        """
        if worker.complaint is not None and not self._was_ready:
            raise ConfigurationError(worker.complaint)
        if not worker.has_served and not self._was_ready:
            raise WorkersFailed(f"{worker} ended before it served; its own words are above")
        others_serve = any(other.is_ready for other in self._workers)
        wait_s = restart_wait_s(failures, others_serve=others_serve, fraction=self._fraction())
        if wait_s is None:
            why = worker.complaint or "its own words are above"
            raise WorkersFailed(f"no worker stays: {worker} was the {failures}th in a row; {why}")
        why = f": {worker.complaint}" if worker.complaint else ""
        logger.warning("%s ended%s; another starts in %.1f s", worker, why, wait_s)
        return wait_s

    async def _pause(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), wait_s)

    def _stop(self) -> None:
        """Drain all workers; called again, end their runs."""
        order = END if self._stopping.is_set() else DRAIN
        self._stopping.set()
        # When the last worker leaves the port, it is free, and nobody waits there in vain.
        self._listener.close()
        for worker in self._workers:
            worker.order(order)
        allowed_s = STOP_MARGIN_S + (self._settings.drain_s if order == DRAIN else 0)
        asyncio.get_running_loop().call_later(allowed_s, self._kill)

    def _kill(self) -> None:
        for worker in self._workers:
            if worker.process.returncode is None:
                self._killed.append(str(worker))
                worker.process.kill()
