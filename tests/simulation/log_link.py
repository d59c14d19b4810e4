"""A log at the other end of a network, as one process sees it.

Every call travels there and back. While the link is cut, requests are lost, or hang
and arrive when the caller has long given up, or are done and only their answers are
lost: the caller learns no more than `LogUnavailable`. What the log would have told
meanwhile, it tells when the link stands again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypeVar

from tests.simulation.loop import Owner
from tests.simulation.network import Network
from tests.simulation.trace import Trace
from tickertape.core.errors import LogUnavailable, TickertapeError
from tickertape.core.events import CancelledBy, Event, RunStarted
from tickertape.logs.base import Created, EventLog, LapsedRun, RunHead, Slice, Watch

_T = TypeVar("_T")

Cut: TypeAlias = Literal["requests", "answers", "hanging"]

NOTICED_AFTER_S: Final = 0.5
"""When a caller is told at the latest that its call was lost."""

HANGS_ON_S: Final = 1.0
"""How long a call that hung may take at most once the link stands again."""


@dataclass(frozen=True, slots=True)
class Journal:
    """When the log was asked for what it does not keep: by run, in virtual time."""

    cancelled_at_s: dict[str, float] = field(default_factory=dict)
    """When the log first knew of a cancel."""
    taken_over_at_s: dict[str, float] = field(default_factory=dict)
    """When the run was last taken over."""
    stored_at_s: dict[tuple[str, int], float] = field(default_factory=dict)
    """When the record at that offset of a run was stored."""

    def stored(self, run_id: str, first: int, end_offset: int, at_s: float) -> None:
        """Note that a run's records from `first` up to its new end offset were stored."""
        for offset in range(first, end_offset):
            self.stored_at_s[run_id, offset] = at_s


class _LinkWatch:
    """A wake-up that was asked for, and the log's own."""

    def __init__(self, watches: dict[_LinkWatch, Callable[[], None]], watch: Watch) -> None:
        self._watches = watches
        self._watch = watch

    def close(self) -> None:
        self._watches.pop(self, None)
        self._watch.close()


class LogLink:
    """An `EventLog` that reaches the real one through the network."""

    def __init__(
        self, log: EventLog, owner: Owner, network: Network, trace: Trace, journal: Journal
    ) -> None:
        self.cut: Cut | None = None
        """How calls are lost now, if they are."""
        self._log = log
        self._owner = owner
        self._network = network
        self._trace = trace
        self._journal = journal
        self._loop = network.loop
        self._wakes: dict[_LinkWatch, Callable[[], None]] = {}
        self._cancel_watchers: dict[_LinkWatch, Callable[[str, CancelledBy], None]] = {}
        self._hanging: list[Callable[[], None]] = []
        self._missed: dict[str, CancelledBy] = {}

    def cut_off(self, how: Cut) -> None:
        """Lose every call from now on."""
        self.cut = how

    def mend(self) -> None:
        """Let calls through again, the ones that hung first, and wake whoever may have missed."""
        self.cut = None
        for arrive in self._hanging:
            wait_s = self._network.random.random() * HANGS_ON_S
            self._loop.call_later(wait_s, arrive, context=self._network.world.context)
        self._hanging.clear()
        for wake in self._wakes.values():
            self._network.log_later(self._owner, wake)
        missed, self._missed = self._missed, {}
        for run_id, by in missed.items():
            for told in self._cancel_watchers.values():
                self._network.log_later(self._owner, told, run_id, by)

    async def create(
        self,
        started: RunStarted,
        *,
        owner: str | None = None,
        idempotency_key: str | None = None,
        fingerprint: str = "",
        holder: str | None = None,
    ) -> Created:
        """See `EventLog.create`."""

        async def create() -> Created:
            created = await self._log.create(
                started,
                owner=owner,
                idempotency_key=idempotency_key,
                fingerprint=fingerprint,
                holder=holder,
            )
            if created.is_new:
                self._journal.stored(created.run_id, 0, 1, self._loop.time())
            return created

        return await self.ask(f"create {started.run_id}", create)

    async def find(
        self, idempotency_key: str, *, owner: str | None = None, fingerprint: str = ""
    ) -> str | None:
        """See `EventLog.find`."""
        return await self.ask(
            f"find {idempotency_key}",
            lambda: self._log.find(idempotency_key, owner=owner, fingerprint=fingerprint),
        )

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        """See `EventLog.append`."""

        async def store() -> int:
            end_offset = await self._log.append(run_id, events, epoch=epoch)
            self._journal.stored(run_id, end_offset - len(events), end_offset, self._loop.time())
            return end_offset

        return await self.ask(f"append {run_id} {len(events)} events, epoch {epoch}", store)

    async def read(self, run_id: str, *, after: int, limit: int = 1024) -> Slice:
        """See `EventLog.read`."""
        return await self.ask(
            f"read {run_id} after {after}",
            lambda: self._log.read(run_id, after=after, limit=limit),
        )

    async def head(self, run_id: str) -> RunHead:
        """See `EventLog.head`."""
        return await self.ask(f"head {run_id}", lambda: self._log.head(run_id))

    async def request_cancel(self, run_id: str, by: CancelledBy) -> None:
        """See `EventLog.request_cancel`."""

        async def request() -> None:
            await self._log.request_cancel(run_id, by)
            self._journal.cancelled_at_s.setdefault(run_id, self._loop.time())

        await self.ask(f"request_cancel {run_id} {by}", request)

    async def renew(self, holder: str, *, term_s: float) -> bool:
        """See `EventLog.renew`."""
        return await self.ask(f"renew {holder}", lambda: self._log.renew(holder, term_s=term_s))

    async def release(self, holder: str) -> None:
        """See `EventLog.release`."""
        await self.ask(f"release {holder}", lambda: self._log.release(holder))

    async def lapsed(self, *, limit: int = 100) -> Sequence[LapsedRun]:
        """See `EventLog.lapsed`."""
        return await self.ask("lapsed", lambda: self._log.lapsed(limit=limit))

    async def take_over(self, run_id: str, *, holder: str, epoch: int) -> int:
        """See `EventLog.take_over`."""

        async def take() -> int:
            taken = await self._log.take_over(run_id, holder=holder, epoch=epoch)
            self._journal.taken_over_at_s[run_id] = self._loop.time()
            return taken

        return await self.ask(f"take_over {run_id} from epoch {epoch}", take)

    async def note_read(self, run_ids: Sequence[str]) -> None:
        """See `EventLog.note_read`."""
        await self.ask(f"note_read {list(run_ids)}", lambda: self._log.note_read(run_ids))

    async def check(self) -> None:
        """See `EventLog.check`."""
        await self.ask("check", self._log.check)

    async def close(self) -> None:
        """See `EventLog.close`."""

    def watch(self, run_id: str, wake: Callable[[], None]) -> Watch:
        """See `EventLog.watch`."""
        watch = _LinkWatch(self._wakes, self._log.watch(run_id, lambda: self._tell(wake)))
        self._wakes[watch] = wake
        return watch

    def watch_cancels(self, told: Callable[[str, CancelledBy], None]) -> Watch:
        """See `EventLog.watch_cancels`."""
        inner = self._log.watch_cancels(lambda run_id, by: self._tell_cancel(told, run_id, by))
        watch = _LinkWatch(self._cancel_watchers, inner)
        self._cancel_watchers[watch] = told
        return watch

    def _tell(self, wake: Callable[[], None]) -> None:
        if self.cut is None:
            self._network.log_later(self._owner, wake)

    def _tell_cancel(
        self, told: Callable[[str, CancelledBy], None], run_id: str, by: CancelledBy
    ) -> None:
        if self.cut is None:
            self._network.log_later(self._owner, told, run_id, by)
        else:
            self._missed[run_id] = by

    async def ask(self, what: str, do: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Have the log do something.

        Raises:
            LogUnavailable: the request or its answer was lost.
        """
        answer: asyncio.Future[_T] = self._loop.create_future()
        self._network.log_later(self._network.world, self._arrive, what, do, answer)
        return await answer

    def _arrive(
        self, what: str, do: Callable[[], Coroutine[Any, Any, _T]], answer: asyncio.Future[_T]
    ) -> None:
        if self.cut in {"requests", "hanging"}:
            if self.cut == "hanging":
                self._hanging.append(lambda: self._arrive(what, do, answer))
            self._trace.note(self._owner.name, f"log: {what} … lost")
            self._lose(answer)
            return
        error: TickertapeError | None = None
        value: Any = None
        coroutine = do()
        try:
            # The log in memory never waits, so the call is done here and now.
            coroutine.send(None)
        except StopIteration as stop:
            value = stop.value
        except TickertapeError as caught:
            error = caught
        else:
            coroutine.close()
            raise AssertionError(f"{what} has to wait")
        self._trace.note(self._owner.name, f"log: {what} → {error or _brief(value)}")
        self._network.log_later(self._owner, self._answer, answer, error, value)

    def _answer(
        self, answer: asyncio.Future[_T], error: TickertapeError | None, value: Any
    ) -> None:
        if answer.done():
            return
        if self.cut is not None:
            self._lose(answer)
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)

    def _lose(self, answer: asyncio.Future[_T]) -> None:
        wait_s = self._network.random.random() * NOTICED_AFTER_S
        self._loop.call_later(wait_s, _fail, answer, context=self._owner.context)


def _fail(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        with suppress(asyncio.InvalidStateError):
            answer.set_exception(LogUnavailable("the connection to the log broke"))


def _brief(value: object) -> str:
    if isinstance(value, Slice):
        offsets = [record.offset for record in value.records]
        return f"{offsets}{' closed' if value.is_closed else ''}"
    return str(value)
