"""How a process writes its runs to Redis: one append at a time, each where it belongs.

The writer knows where the run ends, and says so with each append. So an append
whose answer was lost is repeated without being stored twice, and a Redis that has
lost acknowledged records (restored from an old copy, failed over to a replica that
was behind) refuses what would otherwise stand in their place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from tickertape.core.errors import (
    IllegalEvent,
    LeaseHeld,
    LogClosed,
    LogError,
    LogUnavailable,
    RecordsLost,
    StaleEpoch,
    UnknownRun,
)
from tickertape.core.events import Event, RunEnded
from tickertape.core.record import Record
from tickertape.logs.packed_append import pack_append
from tickertape.logs.redis.calls import RedisCalls
from tickertape.logs.redis.head import RedisHeads, RedisLifetimes, StoredHead, seconds
from tickertape.logs.redis.hearing import RedisHearing
from tickertape.logs.redis.keys import RedisKeys
from tickertape.logs.redis.leases import RedisLeases
from tickertape.logs.redis.recent import RecentRun, RecentWriter

logger = logging.getLogger("tickertape.logs")

EPOCH_LEAP: Final = 10_000
"""By how much, at most, a run's epoch rises when it is taken over: see `take_over.lua`."""
MOST_TRIES: Final = 8
"""How often an append is tried again that found more in the run than was known."""


class RedisWriting:
    """Appends, and takes runs over."""

    def __init__(
        self,
        calls: RedisCalls,
        keys: RedisKeys,
        heads: RedisHeads,
        hearing: RedisHearing,
        leases: RedisLeases,
        lifetimes: RedisLifetimes,
        *,
        now: Callable[[], float],
        random: Callable[[], float],
        make_token: Callable[[], bytes],
    ) -> None:
        """`now` gives UTC seconds, `random` a number from 0 to 1."""
        self._calls = calls
        self._keys = keys
        self._heads = heads
        self._hearing = hearing
        self._leases = leases
        self._lifetimes = lifetimes
        self._now = now
        self._random = random
        self._make_token = make_token

    def created(self, record: Record, size: int, holder: str | None) -> None:
        """Know a run that was just created as one that this process writes."""
        assert hasattr(record.event, "run_id")
        run = self._hearing.run(record.event.run_id)
        run.take([record], size)
        run.writer = RecentWriter(epoch=record.epoch, end_offset=1, holder=holder)
        self._hearing.update(run)
        run.wake()

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        """See `EventLog.append`."""
        for event in events[:-1]:
            if type(event) is RunEnded:
                raise IllegalEvent("nothing may follow RunEnded")
        run = self._hearing.get(run_id)
        if run is None or (writer := run.writer) is None or writer.epoch != epoch:
            run, writer = await self._become_writer(run_id, epoch)
        turn = writer.turn
        await turn.acquire()
        is_settled = True
        try:
            for _ in range(MOST_TRIES):
                if not writer.is_certain:
                    await self._make_certain(run, writer)
                end_offset = await self._append(run, writer, events)
                if end_offset is not None:
                    return end_offset
        except asyncio.CancelledError:
            # It may be stored, or may be yet. Nothing else is appended before that is known.
            writer.is_certain = is_settled = False
            self._hearing.start(self._settle(run, writer), name=f"redis: settle {run_id}")
            raise
        except LogUnavailable:
            writer.is_certain = False
            self._hearing.update(run)
            raise
        finally:
            if is_settled:
                turn.release()
        raise LogUnavailable(f"run {run_id!r} is being written by somebody else, too")

    async def take_over(self, run_id: str, *, holder: str, epoch: int) -> int:
        """See `EventLog.take_over`."""
        stored = await self._heads.require(run_id)
        known = self._hearing.get(run_id)
        if stored.head.is_closed:
            raise LogClosed(run_id)
        # A Redis that has lost a take over has an epoch that is given out again.
        is_lost = known is not None and stored.head.epoch < epoch <= known.epoch
        if stored.head.epoch != epoch and not is_lost:
            raise StaleEpoch(held=epoch, current=stored.head.epoch)
        held_by = stored.head.holder
        if held_by != holder and not await self._leases.has_lapsed(held_by):
            raise LeaseHeld(run_id)
        await self._leases.hold(holder, run_id)
        known_epoch = 0 if known is None else known.epoch
        word, *fields = await self._calls.do(
            "take_over",
            self._keys.run(run_id),
            [
                b"%d" % stored.head.epoch,
                b"%d" % (max(epoch, known_epoch) + int(self._random() * EPOCH_LEAP)),
                holder.encode(),
                self._make_token(),
                self._lifetimes.open_ms,
            ],
        )
        match word:
            case b"ok":
                new_epoch, end_offset = fields
            case b"stale":
                raise StaleEpoch(held=epoch, current=fields[0])
            case b"closed":
                raise LogClosed(run_id)
            case _:
                raise UnknownRun(run_id)
        if held_by != holder:
            # Again: who looks for lapsed runs may have taken it out before it was ours.
            await self._leases.hold(holder, run_id)
        run = self._hearing.run(run_id)
        self._own(run, RecentWriter(epoch=new_epoch, end_offset=end_offset, holder=holder))
        return int(new_epoch)

    def doubt(self, holder: str) -> None:
        """Know no more that this process is the only writer of the holder's runs."""
        for run in self._hearing.runs():
            if run.writer is not None and run.writer.holder == holder:
                run.writer.is_certain = False
                self._hearing.update(run)

    async def _append(
        self, run: RecentRun, writer: RecentWriter, events: Sequence[Event]
    ) -> int | None:
        """Append, and make it visible here; return None if there is more than was known."""
        appended_at = float(self._now())
        epoch = writer.epoch
        packed = pack_append(events, epoch=epoch, appended_at=appended_at)
        first_offset = writer.end_offset
        arguments = [
            b"%d" % epoch,
            b"%d" % first_offset,
            b"%d" % len(events),
            packed,
            run.tape,
            self._lifetimes.open_ms,
        ]
        is_end = bool(events) and type(events[-1]) is RunEnded
        if is_end:
            arguments[5] = self._lifetimes.closed_ms
            arguments += [b"%a" % appended_at, self._lifetimes.records_ms]
        reply = await self._calls.do("append", run.keys, arguments)
        if reply[0] != b"ok":
            await self._refused(run, writer, reply)
            return None
        writer.end_offset = end_offset = first_offset + len(events)
        if events:
            records = [
                Record(offset, event, epoch, appended_at)
                for offset, event in enumerate(events, first_offset)
            ]
            run.take(records, len(packed))
            if is_end:
                self._leases.note_end(writer.holder, run.run_id)
                run.writer = None
                self._hearing.update(run)
                self._hearing.note_end(run.run_id)
            for wake in tuple(run.wakes.values()):
                wake()
        if reply[2] and not is_end:
            self._hearing.told(run.run_id, reply[2].decode())
        return end_offset

    async def _refused(self, run: RecentRun, writer: RecentWriter, reply: Sequence[Any]) -> None:
        """Raise why Redis took no append; return if it is to be tried again."""
        match reply[0]:
            case b"ahead":
                writer.is_certain = False
                self._hearing.update(run)
            case b"unknown":
                raise self._lost(run, writer, 0)
            case b"lost":
                raise self._lost(run, writer, reply[1])
            case b"closed":
                self._heads.require_kept(run.run_id, seconds(reply[1]))
                self._resign(run, writer)
                raise LogClosed(run.run_id)
            case _:
                self._heads.require_kept(run.run_id, seconds(reply[2]))
                if reply[1] < writer.epoch:
                    stored = await self._heads.get(run.run_id)
                    raise self._lost(run, writer, stored.head.end_offset if stored else 0)
                self._resign(run, writer)
                raise StaleEpoch(held=writer.epoch, current=reply[1])

    async def _become_writer(self, run_id: str, epoch: int) -> tuple[RecentRun, RecentWriter]:
        """Learn of a run that this process did not write so far where it ends.

        Raises:
            StaleEpoch, LogClosed, UnknownRun, RunTrimmed, RecordsLost.
        """
        known = self._hearing.get(run_id)
        stored = await self._heads.get(run_id)
        if stored is None:
            if known is not None and known.end_offset:
                known.lose(0)
                self._hearing.update(known)
                known.wake()
                raise RecordsLost(run_id)
            raise UnknownRun(run_id)
        self._heads.require_kept(run_id, stored.closed_at)
        if stored.head.epoch != epoch:
            if known is not None and stored.head.epoch < epoch <= known.epoch:
                raise RecordsLost(run_id)
            raise StaleEpoch(held=epoch, current=stored.head.epoch)
        if stored.head.is_closed:
            raise LogClosed(run_id)
        run = self._hearing.run(run_id)
        if run.writer is None or run.writer.epoch != epoch:
            head = stored.head
            if known is not None and head.end_offset < known.end_offset:
                known.lose(head.end_offset)
                self._hearing.update(known)
                known.wake()
                raise RecordsLost(run_id)
            self._own(
                run,
                RecentWriter(epoch=epoch, end_offset=head.end_offset, holder=head.holder),
            )
        assert run.writer is not None
        return run, run.writer

    async def _make_certain(self, run: RecentRun, writer: RecentWriter) -> None:
        """Learn where the run ends, after an append without an answer.

        Raises:
            StaleEpoch, LogClosed, RunTrimmed, RecordsLost: nothing more can be appended.
        """
        stored = await self._heads.get(run.run_id)
        if stored is None:
            raise self._lost(run, writer, 0)
        head = stored.head
        self._heads.require_kept(run.run_id, stored.closed_at)
        if head.epoch > writer.epoch:
            self._resign(run, writer)
            raise StaleEpoch(held=writer.epoch, current=head.epoch)
        if head.epoch < writer.epoch or head.end_offset < writer.end_offset:
            raise self._lost(run, writer, head.end_offset)
        if head.is_closed:
            self._see(run, stored)
            self._resign(run, writer)
            raise LogClosed(run.run_id)
        writer.end_offset = head.end_offset
        writer.is_certain = True
        self._see(run, stored)
        self._hearing.update(run)
        run.wake()

    async def _settle(self, run: RecentRun, writer: RecentWriter) -> None:
        """Find out what became of an append whose caller was cancelled."""
        try:
            await self._make_certain(run, writer)
        except LogError as error:
            logger.info("run %s: %s", run.run_id, error)
        finally:
            writer.turn.release()

    def _own(self, run: RecentRun, writer: RecentWriter) -> None:
        """Write the run from now on."""
        if writer.end_offset < run.end_offset:
            run.lose(writer.end_offset)
        elif writer.end_offset > run.end_offset:
            run.begin(writer.end_offset)
        run.epoch = max(run.epoch, writer.epoch)
        run.writer = writer
        self._hearing.update(run)
        run.wake()

    def _see(self, run: RecentRun, stored: StoredHead) -> None:
        if stored.head.end_offset != run.end_offset:
            run.begin(stored.head.end_offset)
        run.closed_at = stored.closed_at

    def _resign(self, run: RecentRun, writer: RecentWriter) -> None:
        """Leave the run to somebody else, and hear it from now on if there are readers."""
        if run.writer is writer:
            run.writer = None
        run.is_live = False
        self._hearing.update(run)
        run.wake()

    def _lost(self, run: RecentRun, writer: RecentWriter, end_offset: int) -> RecordsLost:
        logger.warning("run %s: Redis has lost records that it had acknowledged", run.run_id)
        run.lose(end_offset)
        self._resign(run, writer)
        return RecordsLost(run.run_id)
