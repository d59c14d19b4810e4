"""The crowd: everybody who starts, reads or cancels a run, each with a deadline.

A reader that is not done by its deadline hangs, and says how far it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import assert_never

from tests.chaos import curl_reader, python_reader
from tests.chaos.reading import Reading
from tests.chaos.runs import PlannedReader, PlannedRun
from tickertape.core.errors import TickertapeError


class NotStarted(TickertapeError):
    """Nobody gets to know the run's id, since whoever started it was refused."""


class Crowd:
    """Reads runs at one address."""

    def __init__(self, url: str, *, hangs_after_s: float) -> None:
        self._url = url
        self.hangs_after_s = hangs_after_s
        self.run_ids: dict[int, str] = {}
        """By the run's number, as soon as somebody knows it."""

    async def read_all(self, runs: Sequence[PlannedRun]) -> list[Reading]:
        """Start all runs, each at its time; return what everybody read of them."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read(run), name=run.model) for run in runs]
        return [reading for task in tasks for reading in task.result()]

    async def _read(self, run: PlannedRun) -> list[Reading]:
        await asyncio.sleep(run.start_s)
        is_settled = asyncio.Event()  # its id is known, or never will be
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._reader(run, reader, is_settled)) for reader in run.readers
            ]
            if run.cancel_after_s is not None:
                tasks.append(group.create_task(self._canceller(run, is_settled)))
        return [task.result() for task in tasks]

    async def _reader(
        self, run: PlannedRun, planned: PlannedReader, is_settled: asyncio.Event
    ) -> Reading:
        reading = Reading(run=run.number, reader=planned.kind)

        def knows_id(known: str) -> None:
            self.run_ids.setdefault(run.number, known)
            is_settled.set()

        async def read() -> None:
            await asyncio.sleep(planned.after_s)
            match planned.kind:
                case "start" | "again":
                    await python_reader.start_and_read(self._url, run, reading, knows_id=knows_id)
                case "post":
                    await curl_reader.post(self._url, run, reading, knows_id=knows_id)
                case "late":
                    await python_reader.join(self._url, await self._id_of(run, is_settled), reading)
                case "document":
                    await python_reader.join_after_document(
                        self._url, await self._id_of(run, is_settled), reading
                    )
                case "curl":
                    await curl_reader.tail(self._url, await self._id_of(run, is_settled), reading)
                case _:
                    assert_never(planned.kind)

        await self._within_deadline(read(), reading)
        if planned is run.readers[0]:
            is_settled.set()
        return reading

    async def _canceller(self, run: PlannedRun, is_settled: asyncio.Event) -> Reading:
        reading = Reading(run=run.number, reader="cancel")

        async def cancel() -> None:
            assert run.cancel_after_s is not None
            known = await self._id_of(run, is_settled)
            await asyncio.sleep(run.cancel_after_s)
            phase = await python_reader.cancel(self._url, known)
            if phase != "ended":
                reading.trouble = f"the cancel was acknowledged, but the run is {phase}"

        return await self._within_deadline(cancel(), reading)

    async def _id_of(self, run: PlannedRun, is_settled: asyncio.Event) -> str:
        await is_settled.wait()
        if run.number not in self.run_ids:
            raise NotStarted("its start failed")
        return self.run_ids[run.number]

    async def _within_deadline(
        self, doing: Coroutine[None, None, None], reading: Reading
    ) -> Reading:
        try:
            async with asyncio.timeout(self.hangs_after_s):
                await doing
        except TimeoutError:
            reading.trouble = f"hung: not done after {self.hangs_after_s:g} s"
        except (AssertionError, LookupError, ValueError, TickertapeError) as error:
            # What came can't be what the server meant to send.
            reading.trouble = f"{type(error).__name__}: {error}"
        return reading
