"""Logs that break one promise of leases each, as those of `broken_logs` break the others.

Not collected by its name; `test_log_contract` runs it and counts.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.testing.broken_logs import InMemory
from tickertape.core.events import RunEnded
from tickertape.logs.base import LapsedRun
from tickertape.logs.memory import MemoryLog
from tickertape.testing.log_contract import LogContract


class Leasing(InMemory):
    """Each of these promises has a test that bites without luck."""

    test_p8_any_history_gives_what_a_list_would = None  # type: ignore[assignment]


class TestForgetsTheHolder(Leasing):
    """Creates every run without one."""

    __test__ = True

    class Broken(MemoryLog):
        async def create(self, started, *, holder=None, **key):
            return await super().create(started, **key)


class TestHoldsClosedRuns(Leasing):
    """Names a holder that has nothing to hold any more."""

    __test__ = True

    class Broken(MemoryLog):
        async def head(self, run_id):
            return replace(await super().head(run_id), holder=self._run(run_id).holder)


class TestGivesTheRunToWhoJoins(Leasing):
    """Makes the second start's holder the run's."""

    __test__ = True

    class Broken(MemoryLog):
        async def create(self, started, *, holder=None, **key):
            created = await super().create(started, holder=holder, **key)
            self._run(created.run_id).holder = holder
            return created


class TestNeverLapses(Leasing):
    """Holds every lease for ever."""

    __test__ = True

    class Broken(MemoryLog):
        async def renew(self, holder, *, term_s):
            return await super().renew(holder, term_s=1e9)


class TestLapsesTooEarly(Leasing):
    """Ends leases a little before their time."""

    __test__ = True

    class Broken(MemoryLog):
        async def renew(self, holder, *, term_s):
            return await super().renew(holder, term_s=term_s - 2)


class TestRenewsEverything(Leasing):
    """Says that no lease ever ran out."""

    __test__ = True

    class Broken(MemoryLog):
        async def renew(self, holder, *, term_s):
            await super().renew(holder, term_s=term_s)
            return True


class TestReleasesNothing(Leasing):
    """Lets a released lease run to its end."""

    __test__ = True

    class Broken(MemoryLog):
        async def release(self, holder):
            pass


class TestListsClosedRuns(Leasing):
    """Finds runs to be rescued among those that have ended."""

    __test__ = True

    class Broken(MemoryLog):
        async def lapsed(self, *, limit=100):
            now = self._now()
            return [
                LapsedRun(run_id, run.epoch)
                for run_id, run in self._runs.items()
                if self._leases.has_lapsed(run.holder, now=now)
            ][:limit]


class TestListsWithoutEnd(Leasing):
    """Takes no notice of the limit."""

    __test__ = True

    class Broken(MemoryLog):
        async def lapsed(self, *, limit=100):
            return await super().lapsed(limit=limit + 100)


class TestListsNothing(Leasing):
    """Rescues nobody."""

    __test__ = True

    class Broken(MemoryLog):
        async def lapsed(self, *, limit=100):
            return []


class TestForgetsToRaiseTheEpoch(Leasing):
    """Gives the run to another under the epoch that it had."""

    __test__ = True

    class Broken(MemoryLog):
        async def take_over(self, run_id, *, holder, epoch):
            await super().take_over(run_id, holder=holder, epoch=epoch)
            self._run(run_id).epoch = epoch
            return epoch


class TestForgetsToFence(Leasing):
    """Takes the appends of whoever wrote the run before, too."""

    __test__ = True

    class Broken(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            run = self._run(run_id)
            is_old = 1 <= epoch < run.epoch
            return await super().append(run_id, events, epoch=run.epoch if is_old else epoch)


class TestFencesByTime(Leasing):
    """Refuses a writer whose lease ran out, though nobody took over."""

    __test__ = True

    class Broken(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            run = self._run(run_id)
            has_lapsed = self._leases.has_lapsed(run.holder, now=self._now())
            return await super().append(run_id, events, epoch=0 if has_lapsed else epoch)


class TestFencesAfterTheAppend(Leasing):
    """Decides on the epoch, and stores a moment later."""

    __test__ = True

    class Broken(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            is_own = epoch == self._run(run_id).epoch
            await asyncio.sleep(0)
            run = self._run(run_id)
            return await super().append(run_id, events, epoch=run.epoch if is_own else epoch)


class TestTakesOverForEverybody(Leasing):
    """Does not compare the epoch that the caller knows."""

    __test__ = True

    class Broken(MemoryLog):
        async def take_over(self, run_id, *, holder, epoch):
            known = self._run(run_id).epoch
            return await super().take_over(run_id, holder=holder, epoch=known)


class TestTakesOverWithoutAtomicity(Leasing):
    """Compares the epoch, and raises it a moment later."""

    __test__ = True

    class Broken(MemoryLog):
        async def take_over(self, run_id, *, holder, epoch):
            run = self._run(run_id)
            before = run.epoch, run.holder
            gained = await super().take_over(run_id, holder=holder, epoch=epoch)
            run.epoch, run.holder = before
            await asyncio.sleep(0)
            run.epoch, run.holder = gained, holder
            return gained


class TestTakesFromTheLiving(Leasing):
    """Does not ask whether the lease has run out."""

    __test__ = True

    class Broken(MemoryLog):
        async def take_over(self, run_id, *, holder, epoch):
            run = self._run(run_id)
            if epoch == run.epoch and run.closed_at is None:
                run.holder = holder
            return await super().take_over(run_id, holder=holder, epoch=epoch)


class TestTakesOverWhatHasEnded(Leasing):
    """Gives a closed run a new writer."""

    __test__ = True

    class Broken(MemoryLog):
        async def take_over(self, run_id, *, holder, epoch):
            run = self._run(run_id)
            if run.closed_at is not None:
                run.epoch += 1
                return run.epoch
            return await super().take_over(run_id, holder=holder, epoch=epoch)


class TestKeepsTheOldHolder(Leasing):
    """Raises the epoch and leaves the run to whoever had it."""

    __test__ = True

    class Broken(MemoryLog):
        async def take_over(self, run_id, *, holder, epoch):
            run = self._run(run_id)
            held_by = run.holder
            gained = await super().take_over(run_id, holder=holder, epoch=epoch)
            run.holder = held_by
            return gained


class TestForgetsTheCancelRequest(Leasing):
    """Starts the new writer with a clean slate."""

    __test__ = True

    class Broken(MemoryLog):
        async def take_over(self, run_id, *, holder, epoch):
            gained = await super().take_over(run_id, holder=holder, epoch=epoch)
            self._run(run_id).cancel_by = None
            return gained


class TestForgetsWhoWatches(Leasing):
    """Wakes only those who came after the new writer."""

    __test__ = True

    class Broken(MemoryLog):
        async def take_over(self, run_id, *, holder, epoch):
            gained = await super().take_over(run_id, holder=holder, epoch=epoch)
            self._run(run_id).wakes.clear()
            return gained


class TestForgetsTheReader(Leasing):
    """Does not note that somebody reads."""

    __test__ = True

    class Broken(MemoryLog):
        async def note_read(self, run_ids):
            pass


class TestWantsToKnowEveryReader(Leasing):
    """Refuses to note the reading of runs that are not here."""

    __test__ = True

    class Broken(MemoryLog):
        async def note_read(self, run_ids):
            for run_id in run_ids:
                self._run(run_id)
            await super().note_read(run_ids)


class TestTakesReadingForWriting(Leasing):
    """Notes a read at every append."""

    __test__ = True

    class Broken(MemoryLog):
        async def append(self, run_id, events, *, epoch):
            end_offset = await super().append(run_id, events, epoch=epoch)
            if not isinstance(events[-1], RunEnded):
                await self.note_read([run_id])
            return end_offset


class Elsewhere(LogContract):
    """Opens logs that go on when their user dies, and keep its runs open."""

    __test__ = False

    def reopened(self, log):
        """Lose nothing."""

    @asynccontextmanager
    async def open_log(self, place, *, retention_s, now):
        logs = vars(self).setdefault("logs", {})
        if place in logs:
            self.reopened(logs[place])
        else:
            logs[place] = MemoryLog(retention_s=retention_s, now=now)
        yield logs[place]

    def after_crash(self, place):
        return place


class TestForgetsLeasesInACrash(Elsewhere):
    """Keeps runs open whose writers may live, and lets anybody have them."""

    __test__ = True
    test_p8_any_history_gives_what_a_list_would = None  # type: ignore[assignment]

    def reopened(self, log):
        log._leases.release("a")


class TestForgetsEpochsInACrash(Elsewhere):
    """Gives a run back to the writer that was fenced."""

    __test__ = True
    test_p8_any_history_gives_what_a_list_would = None  # type: ignore[assignment]

    def reopened(self, log):
        for run in log._runs.values():
            run.epoch = 1


class TestKeptElsewhere(Elsewhere):
    """Breaks nothing: it must pass."""

    __test__ = True
