"""Logs that break one promise each, under the contract's tests: every class here must fail.

Not collected by its name; `test_log_contract` runs it and counts.
"""

# ruff: noqa: E402

from __future__ import annotations

import asyncio
import itertools
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace

from hypothesis import Phase, settings

# What fails here is meant to; nobody needs the smallest example of it. Before the
# contract is imported, since its tests take over what is set then.
settings.register_profile("broken", deadline=None, phases=[Phase.generate])
settings.load_profile("broken")

from tickertape.core.events import RunEnded
from tickertape.core.record import Record
from tickertape.logs.base import Created, Slice
from tickertape.logs.memory import MemoryLog
from tickertape.logs.sqlite import SqliteLog
from tickertape.testing import log_probes
from tickertape.testing.log_contract import LogContract

# Here a wake-up that does not come is the rule.
log_probes.PATIENCE_S = 0.2


class InMemory(LogContract):
    """Opens what a subclass names."""

    __test__ = False
    Broken: type[MemoryLog]

    @asynccontextmanager
    async def open_log(self, place, *, retention_s, now):
        yield self.Broken(retention_s=retention_s, now=now)


class TestLosesAnAppend(InMemory):
    """Acknowledges every fifth append without storing it."""

    __test__ = True

    class Broken(MemoryLog):
        appends = 0

        async def append(self, run_id, events, *, epoch):
            self.appends += 1
            if self.appends % 5:
                return await super().append(run_id, events, epoch=epoch)
            return (await self.head(run_id)).end_offset + len(events)


class TestRepeatsAnAppend(InMemory):
    """Stores every fifth append twice, as after a retry."""

    __test__ = True

    class Broken(MemoryLog):
        appends = 0

        async def append(self, run_id, events, *, epoch):
            self.appends += 1
            end_offset = await super().append(run_id, events, epoch=epoch)
            if self.appends % 5 or isinstance(events[-1], RunEnded):
                return end_offset
            return await super().append(run_id, events, epoch=epoch)


class TestStoresAPart(InMemory):
    """Leaves what came before an illegal event in the log."""

    __test__ = True

    class Broken(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            ends = [at for at, event in enumerate(events[:-1]) if isinstance(event, RunEnded)]
            if ends:
                await super().append(run_id, events[: ends[0]], epoch=epoch)
            return await super().append(run_id, events, epoch=epoch)


class TestKeyIsNotAtomic(InMemory):
    """Looks for the key, and stores it a moment later."""

    __test__ = True

    class Broken(MemoryLog):
        async def create(
            self, started, *, owner=None, idempotency_key=None, fingerprint="", holder=None
        ):
            if idempotency_key is not None:
                found = await self.find(idempotency_key, owner=owner, fingerprint=fingerprint)
                if found is not None:
                    return Created(found, 0, is_new=False)
            await asyncio.sleep(0)
            created = await super().create(started, owner=owner, holder=holder)
            if idempotency_key is not None:
                run = self._runs[started.run_id]
                run.key, run.fingerprint = idempotency_key, fingerprint
                self._keys[owner, idempotency_key] = started.run_id
            return created


class TestKeyIsEverybodys(InMemory):
    """Forgets whose key it is."""

    __test__ = True

    class Broken(MemoryLog):
        async def create(self, started, *, owner=None, **key):
            created = await super().create(started, **key)
            if created.is_new:
                self._runs[created.run_id].owner = owner
            return created


class TestOffsetsFromOne(InMemory):
    """Counts records from one."""

    __test__ = True

    class Broken(MemoryLog):
        async def read(self, run_id, *, after, limit=1024):
            part = await super().read(run_id, after=after, limit=limit)
            records = [Record(r.offset + 1, r.event, r.epoch, r.appended_at) for r in part.records]
            return Slice(records, part.is_closed)


class TestCursorIsIncluded(InMemory):
    """Reads from the cursor, not after it."""

    __test__ = True

    class Broken(MemoryLog):
        async def read(self, run_id, *, after, limit=1024):
            await super().read(run_id, after=after)
            return await super().read(run_id, after=max(after - 1, -1), limit=limit)


class TestReadsLess(InMemory):
    """Returns at most a hundred records, though there are more."""

    __test__ = True

    class Broken(MemoryLog):
        async def read(self, run_id, *, after, limit=1024):
            return await super().read(run_id, after=after, limit=min(limit, 100))


class TestSaysClosedTooEarly(InMemory):
    """Tells every reader of a run that has ended that it is over."""

    __test__ = True

    class Broken(MemoryLog):
        async def read(self, run_id, *, after, limit=1024):
            part = await super().read(run_id, after=after, limit=limit)
            return replace(part, is_closed=(await self.head(run_id)).is_closed)


class TestForgetsToWake(InMemory):
    """Wakes each watch once."""

    __test__ = True

    class Broken(MemoryLog):
        def watch(self, run_id, wake):
            def wake_once():
                watch.close()
                wake()

            watch = super().watch(run_id, wake_once)
            return watch


class TestWakesTooEarly(InMemory):
    """Wakes before there is anything to read, and not afterwards."""

    __test__ = True

    class Broken(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            run = self._run(run_id)
            for wake in tuple(run.wakes.values()):
                wake()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            wakes, run.wakes = run.wakes, {}
            try:
                return await super().append(run_id, events, epoch=epoch)
            finally:
                run.wakes = wakes


class TestGoesOnAfterTheEnd(InMemory):
    """Takes events after RunEnded."""

    __test__ = True

    class Broken(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            run = self._run(run_id)
            closed_at, run.closed_at = run.closed_at, None
            try:
                return await super().append(run_id, events, epoch=epoch)
            finally:
                run.closed_at = self._closed.get(run_id, closed_at)


class TestFencesNobody(InMemory):
    """Takes appends of any epoch."""

    __test__ = True

    class Broken(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            return await super().append(run_id, events, epoch=1)


class TestLastCancelCounts(InMemory):
    """Lets a later cancel request replace the first."""

    __test__ = True

    class Broken(MemoryLog):
        async def request_cancel(self, run_id, by):
            run = self._run(run_id)
            if run.closed_at is None:
                run.cancel_by = None
            await super().request_cancel(run_id, by)


class TestNeverTrims(InMemory):
    """Keeps everything."""

    __test__ = True

    class Broken(MemoryLog):
        def __init__(self, *, retention_s, now):
            super().__init__(retention_s=1e9, now=now)


class TestTrimsTooEarly(InMemory):
    """Keeps runs for half their time."""

    __test__ = True

    class Broken(MemoryLog):
        def __init__(self, *, retention_s, now):
            super().__init__(retention_s=retention_s / 2, now=now)


class TestForgetsWhatItTrimmed(InMemory):
    """Says that a trimmed run never was."""

    __test__ = True

    class Broken(MemoryLog):
        async def create(self, started, **key):
            created = await super().create(started, **key)
            self._trimmed.clear()
            return created


class TestForgetsInACrash(LogContract):
    """Has acknowledged what only its process knew."""

    copies = itertools.count()

    def open_log(self, place, *, retention_s, now):
        return SqliteLog(place / "log.db", retention_s=retention_s, now=now)

    def after_crash(self, place):
        left = place.with_name(f"crash-{next(self.copies)}")
        return shutil.copytree(place, left, ignore=shutil.ignore_patterns("*-wal", "*-shm"))


class TestKept(InMemory):
    """Breaks nothing: it must pass."""

    __test__ = True
    Broken = MemoryLog
