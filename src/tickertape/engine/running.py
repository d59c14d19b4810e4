"""The runs that this process writes: their steps and tasks.

Owns the tasks. Who else may write a run, and when, is `keeper`'s and `lost_runs`'
business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tickertape.core.attention import Attention
from tickertape.core.errors import LogError, RunTrimmed, TickertapeError, UnknownRun
from tickertape.core.events import CancelledBy, RunEnded
from tickertape.engine.crew import for_each
from tickertape.engine.step import Step
from tickertape.engine.writer import write_run
from tickertape.logs.base import EventLog

logger = logging.getLogger("tickertape.engine")

END_TIMEOUT_S: Final = 2.0
"""How long a run that was told to end may take to store its end, when this process must go."""


class Running:
    """A run that this process writes."""

    __slots__ = ("attention", "epoch", "step", "task")

    def __init__(
        self, step: Step, task: asyncio.Task[RunEnded | None], epoch: int, attention: Attention
    ) -> None:
        self.step = step
        self.task = task
        self.epoch = epoch
        self.attention = attention


class RunningRuns:
    """All of them, by id."""

    def __init__(
        self,
        log: EventLog,
        *,
        abandon_after_s: float | None,
        on_unended: Callable[[str, RunEnded | None], None],
    ) -> None:
        """`on_unended` gets a run whose end could not be stored, and that end if it is known."""
        self._log = log
        self._abandon_after_s = float("inf") if abandon_after_s is None else abandon_after_s
        self._on_unended = on_unended
        self._runs: dict[str, Running] = {}
        # By identity: two that are empty are equal, and yet not the same.
        self._expected: dict[int, dict[str, CancelledBy]] = {}
        self._cancels = log.watch_cancels(self._cancel_requested)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._runs)

    def __contains__(self, run_id: str) -> bool:
        """Tell whether this process writes the run."""
        return run_id in self._runs

    def get(self, run_id: str) -> Running | None:
        """Return the run, if this process writes it."""
        return self._runs.get(run_id)

    def items(self) -> list[tuple[str, Running]]:
        """Return the runs as they are now, by their ids."""
        return list(self._runs.items())

    @contextmanager
    def expecting(self) -> Iterator[dict[str, CancelledBy]]:
        """Note who asks to cancel which run, while one is on its way to being written here."""
        asked: dict[str, CancelledBy] = {}
        self._expected[id(asked)] = asked
        try:
            yield asked
        finally:
            del self._expected[id(asked)]

    def write(
        self, step: Step, *, run_id: str, epoch: int, cancelled_by: CancelledBy | None = None
    ) -> None:
        """Write what the step returns into the log, in a task; cancelled at once where asked."""
        loop = asyncio.get_running_loop()
        if cancelled_by is not None:
            step.cancel(cancelled_by)
        task = loop.create_task(
            write_run(self._log, step, run_id=run_id, epoch=epoch), name=f"run {run_id}"
        )
        attention = Attention(now_s=loop.time(), abandon_after_s=self._abandon_after_s)
        running = self._runs[run_id] = Running(step, task, epoch, attention)
        task.add_done_callback(lambda _: self._written(run_id, running))

    def fence(self, run_id: str, *, goes_on: bool) -> None:
        """Stop writing a run that another process has taken over, and maybe goes on with."""
        running = self._runs.get(run_id)
        if running is not None:
            logger.warning("run %s: stopped writing: another process has taken it over", run_id)
            if goes_on:
                running.step.detach()
            running.task.cancel()

    async def fence_taken(self) -> None:
        """Stop writing what others have taken over: this process was silent for a while.

        Raises:
            LogError: not all could be looked at. Look again.
        """
        errors: list[LogError] = []

        async def look(item: tuple[str, Running]) -> None:
            run_id, running = item
            try:
                head = await self._log.head(run_id)
                if head.epoch != running.epoch and self._runs.get(run_id) is running:
                    self.fence(run_id, goes_on=not head.is_closed)
            except (UnknownRun, RunTrimmed):
                self.fence(run_id, goes_on=False)
            except LogError as error:
                errors.append(error)

        await for_each(self.items(), look)
        if errors:
            raise errors[0]

    async def cancel_abandoned(self) -> None:
        """Cancel the runs that nobody has read for long."""

        async def look(item: tuple[str, Running]) -> None:
            run_id, running = item
            try:
                head = await self._log.head(run_id)
                if running.attention.look(head.last_read_at, now_s=loop.time()):
                    await self._log.request_cancel(run_id, "abandoned")
            except LogError as error:
                logger.info("run %s: whether it is read can't be seen: %s", run_id, error)
                running.attention.excuse(now_s=loop.time())

        loop = asyncio.get_running_loop()
        now_s = loop.time()
        await for_each(
            [each for each in self.items() if each[1].attention.look_at_s <= now_s], look
        )

    def cancel_all(self, by: CancelledBy) -> None:
        """Cancel every run. Does not wait."""
        for running in self._runs.values():
            running.step.cancel(by)

    async def finish(self, within_s: float) -> None:
        """Wait for the runs that are being written now, so long at most."""
        if tasks := [running.task for running in self._runs.values()]:
            await asyncio.wait(tasks, timeout=within_s)

    async def give_up(self) -> None:
        """Stop all tasks, wherever they are, and wait until they have stopped."""
        tasks = [running.task for running in self._runs.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def close(self) -> None:
        """Listen to no more cancel requests."""
        self._cancels.close()

    def _written(self, run_id: str, running: Running) -> None:
        if self._runs.get(run_id) is running:
            del self._runs[run_id]
        if running.task.cancelled():
            return
        error = running.task.exception()
        if error is not None:
            level = logging.WARNING if isinstance(error, TickertapeError) else logging.ERROR
            logger.log(level, "run %s could not be written", run_id, exc_info=error)
            self._on_unended(run_id, None)
        elif (ended := running.task.result()) is not None:
            self._on_unended(run_id, ended)

    def _cancel_requested(self, run_id: str, by: CancelledBy) -> None:
        for asked in self._expected.values():
            asked.setdefault(run_id, by)
        running = self._runs.get(run_id)
        if running is not None:
            running.step.cancel(by)
