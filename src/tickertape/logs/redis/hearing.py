"""How a process keeps up with runs that another one writes: it hears them.

A run with a watch, which this process does not write itself, is subscribed to.
When it is heard, what is remembered of it is compared with what Redis has; from then
on its readers are served from memory, until messages may have been missed: then
the same begins anew. Readers are woken after each of these, so that no wake-up is
ever left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from tickertape.core.errors import LogError, LogUnavailable, TickertapeError
from tickertape.core.events import CancelledBy
from tickertape.logs.base import LapsedRun
from tickertape.logs.redis.calls import RedisCalls
from tickertape.logs.redis.entries import unpack_entries, unpack_message
from tickertape.logs.redis.head import RedisHeads, StoredHead, seconds
from tickertape.logs.redis.keys import RedisKeys
from tickertape.logs.redis.port import RedisPort
from tickertape.logs.redis.recent import KEPT_RECORDS, RecentRun

logger = logging.getLogger("tickertape.logs")

ENDED_RUNS: Final = 1024
"""How many of the runs that were ended here are looked at when Redis was away."""
CATCH_UP_AGAIN_S: Final = 1.0
"""How long a run waits until it is compared again, after that has failed for good."""
IDLE_RUNS: Final = 64
"""How many runs are remembered that nobody here writes or watches any more."""


class RedisHearing:
    """The runs that this process knows, and the port's listener."""

    def __init__(
        self, port: RedisPort, calls: RedisCalls, keys: RedisKeys, heads: RedisHeads
    ) -> None:
        self._port = port
        self._calls = calls
        self._keys = keys
        self._heads = heads
        self._runs: dict[str, RecentRun] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancel_watchers: dict[object, Callable[[str, CancelledBy], None]] = {}
        self._lost_timer: asyncio.TimerHandle | None = None
        self._losses = 0
        self._looked_after = 0
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._reopened: dict[str, LapsedRun] = {}

    def get(self, run_id: str) -> RecentRun | None:
        """Return what is known of the run, if anything is."""
        return self._runs.get(run_id)

    def run(self, run_id: str) -> RecentRun:
        """Return the same, beginning to know it."""
        run = self._runs.get(run_id)
        if run is None:
            run = self._runs[run_id] = RecentRun(
                run_id, keys=self._keys.run(run_id), tape=self._keys.tape(run_id)
            )
        return run

    def runs(self) -> Iterable[RecentRun]:
        """Return all that are known."""
        return list(self._runs.values())

    def update(self, run: RecentRun) -> None:
        """Subscribe, or leave off, as the run's watches and writer now ask for."""
        is_written = run.writer is not None and run.writer.is_certain
        if is_written:
            run.is_live = True
        is_wanted = bool(run.wakes) and not is_written and run.closed_at is None
        if is_wanted != run.is_subscribed:
            run.is_subscribed = is_wanted
            run.catching = None
            if is_wanted:
                run.is_live = False
                self._port.subscribe(run.tape)
            else:
                self._port.unsubscribe(run.tape)
        if run.closed_at is None and not is_written and not is_wanted:
            run.is_live = False
        self._note_use(run)

    def told(self, run_id: str, by: CancelledBy) -> None:
        """Tell whoever wants to know that a cancel was requested."""
        for told in tuple(self._cancel_watchers.values()):
            told(run_id, by)

    def watch_cancels(self, told: Callable[[str, CancelledBy], None]) -> Callable[[], None]:
        """Tell `told` of requests until what is returned is called."""
        token = object()
        if not self._cancel_watchers:
            self._port.subscribe(self._keys.cancels)
        self._cancel_watchers[token] = told

        def close() -> None:
            if self._cancel_watchers.pop(token, None) and not self._cancel_watchers:
                self._port.unsubscribe(self._keys.cancels)

        return close

    def message(self, channel: bytes, payload: bytes) -> None:
        """See `PortListener.message`."""
        if channel == self._keys.cancels:
            by, _, run_id = payload.decode().partition(" ")
            self.told(run_id, by)  # type: ignore[arg-type]  # as `request_cancel` wrote it
            return
        run = self._runs.get(self._keys.run_of(channel))
        if run is None or not run.is_subscribed:
            return
        try:
            records, size = unpack_message(payload)
        except LogUnavailable as error:
            logger.warning("run %s: somebody else publishes to its channel: %s", run.run_id, error)
            return
        if run.is_live:
            self._take(run, records, size)
            run.wake()
        else:
            run.early.append((records, size))

    def subscribed(self, channel: bytes) -> None:
        """See `PortListener.subscribed`."""
        if channel == self._keys.cancels:
            self.start(self._ask_for_cancels(), name="redis: cancels")
            return
        run = self._runs.get(self._keys.run_of(channel))
        if run is not None and run.is_subscribed:
            run.catching = turn = object()
            self.start(self._catch_up(run, turn), name=f"redis: catch up {run.run_id}")

    def lost(self) -> None:
        """See `PortListener.lost`."""
        self._losses += 1
        for run in self._runs.values():
            if run.writer is None or not run.writer.is_certain:
                # Of one that has ended, too: Redis may come back without its end.
                run.is_live = False
                run.early.clear()
                run.catching = None
        if self._lost_timer is None:
            loop = asyncio.get_running_loop()
            self._lost_timer = loop.call_later(self._calls.retry_for_s, self._wake_unheard)

    def note_end(self, run_id: str) -> None:
        """Know of a run that it was ended here, and that this was acknowledged."""
        self._ended[run_id] = None
        self._reopened.pop(run_id, None)
        if len(self._ended) > ENDED_RUNS:
            self._ended.popitem(last=False)

    async def reopened(self) -> Sequence[LapsedRun]:
        """Return runs that were ended here, and are open again: Redis has lost their end.

        Nobody writes them any more, whatever lease there is.
        """
        losses = self._losses
        if losses != self._looked_after:
            for run_id in tuple(self._ended):
                await self._look(run_id)
            self._looked_after = losses
        elif self._reopened:
            for run_id in tuple(self._reopened):
                await self._look(run_id)
        return tuple(self._reopened.values())

    async def _look(self, run_id: str) -> None:
        stored = await self._heads.get(run_id)
        run = self._runs.get(run_id)
        is_written = run is not None and run.writer is not None
        self._reopened.pop(run_id, None)
        if stored is None or stored.head.is_closed or is_written:
            return
        self._reopened[run_id] = LapsedRun(run_id, stored.head.epoch)
        if run is not None and stored.head.end_offset < run.end_offset:
            run.lose(stored.head.end_offset)
            self.update(run)
            run.wake()

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Do something beside; `close` ends it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """End what is being done."""
        if self._lost_timer is not None:
            self._lost_timer.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def _take(self, run: RecentRun, records: list[Any], size: int) -> None:
        if not run.take(records, size):
            logger.warning("run %s: Redis has lost records that it had", run.run_id)
            run.lose(records[0].offset)
            run.take(records, size)
            run.is_live = run.is_subscribed
        if run.closed_at is not None:
            self.update(run)

    async def _catch_up(self, run: RecentRun, turn: object) -> None:
        """Compare what is known with what Redis has, and go on from there.

        Not if the run is heard no more, or anew, when Redis has answered.
        """
        while run.catching is turn:
            try:
                compare = await self._ask(run)
            except LogError as error:
                # Who reads now is told.
                logger.info("run %s: %s", run.run_id, error)
                run.wake()
                await asyncio.sleep(CATCH_UP_AGAIN_S)
                continue
            if run.catching is not turn:
                break
            run.catching = None
            compare()
            run.is_live = True
            while run.early:
                self._take(run, *run.early.popleft())
            self.update(run)
            run.wake()

    async def _ask(self, run: RecentRun) -> Callable[[], None]:
        """Ask Redis what it has of the run; return what is then to be done with the answer."""
        known = run.end_offset
        if not known:
            stored = await self._heads.get(run.run_id)
            return lambda: self._begin(run, stored)
        first = run.first_offset if run.records else known - 1
        _, *found = await self._calls.do(
            "read", run.keys, [b"%d" % first, b"%d" % (known + KEPT_RECORDS)]
        )
        end_offset, epoch, closed_at, entries = found or (0, 0, None, [])
        appends = list(unpack_entries(entries))

        def compare() -> None:
            run.epoch = max(run.epoch, epoch)
            if end_offset < known:
                logger.warning("run %s: Redis has lost records that it had", run.run_id)
                run.lose(end_offset)
                return
            for records, size in appends:
                if records[-1].offset >= run.end_offset or not run.take(records, size):
                    self._take(run, records, size)
            if run.end_offset < end_offset:
                run.begin(end_offset)
            run.closed_at = seconds(closed_at)

        return compare

    def _begin(self, run: RecentRun, stored: StoredHead | None) -> None:
        if stored is not None:
            run.begin(stored.head.end_offset)
            run.epoch = max(run.epoch, stored.head.epoch)
            run.closed_at = stored.closed_at

    async def _ask_for_cancels(self) -> None:
        """Learn of the requests that were made while nothing was heard."""
        for run in self.runs():
            if run.writer is not None:
                try:
                    stored = await self._heads.get(run.run_id)
                except LogError:
                    return  # the next append tells, too
                if stored is not None and stored.head.cancel_requested_by is not None:
                    self.told(run.run_id, stored.head.cancel_requested_by)

    def _wake_unheard(self) -> None:
        """Let readers find out that Redis is away: they have waited as long as a call may."""
        self._lost_timer = None
        for run in self.runs():
            if run.wakes and not run.is_live:
                run.wake()

    def _note_use(self, run: RecentRun) -> None:
        if run.wakes or run.writer is not None:
            self._idle.pop(run.run_id, None)
            return
        self._idle[run.run_id] = None
        if len(self._idle) > IDLE_RUNS:
            run_id, _ = self._idle.popitem(last=False)
            self._runs.pop(run_id, None)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            level = logging.WARNING if isinstance(error, TickertapeError) else logging.ERROR
            logger.log(level, "%s failed", task.get_name(), exc_info=error)
