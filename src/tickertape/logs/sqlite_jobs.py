"""What the event loop asks of the log's threads. One job, one answer.

Values only: who does them is `sqlite_writer`'s and `sqlite_reader`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from tickertape.core.errors import TickertapeError
from tickertape.core.events import CancelledBy, Event, RunStarted
from tickertape.core.record import Record
from tickertape.logs.base import RunHead

T = TypeVar("T")


class Job(Struct, Generic[T], eq=False, kw_only=True):
    """Something to be done in a thread. It ends with a result or an error."""

    future: asyncio.Future[T]
    """Belongs to the event loop; the thread leaves it alone."""
    result: T | None = None
    error: TickertapeError | None = None

    def settle(self) -> None:
        """Give the answer to whoever waits for it, if anybody still does."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


class Key(Struct, frozen=True):
    """An idempotency key, which counts per owner, and the request that it stands for."""

    owner: str | None
    idempotency_key: str
    fingerprint: str


class Appended(Struct, frozen=True):
    """Where a run stands after an append."""

    number: int
    end_offset: int
    sliced_offset: int
    """The first record that is not in a slice yet: the end offset, if all are."""


class Create(Job[Appended], eq=False, kw_only=True):
    """Store a new run, or find the one that the key names."""

    started: RunStarted
    owner: str | None
    holder: str | None
    key: Key | None
    append: bytes
    now: float
    joined: str | None = None
    """The earlier run, if the key named one; nothing was stored then."""


class Append(Job[Appended], eq=False, kw_only=True):
    """Store events of a run."""

    run_id: str
    events: Sequence[Event]
    epoch: int
    append: bytes
    """The same events, packed."""
    ends_run: bool
    cancel_by: CancelledBy | None
    appended_at: float


class TakeOver(Job[int], eq=False, kw_only=True):
    """Give the open run with this epoch a higher one, and return that."""

    run_id: str
    holder: str
    epoch: int


class Find(Job[str | None], eq=False, kw_only=True):
    """Return the run that a key names. Asked of the writer: it knows every run created so far."""

    key: Key
    now: float


class Check(Job[None], eq=False, kw_only=True):
    """Write something small."""

    now: float


WriteJob: TypeAlias = Create | Append | TakeOver | Find | Check


class ClosedRun(Struct, frozen=True):
    """What the file knows of a run that has ended."""

    owner: str | None
    end_offset: int
    closed_at: float
    cancel_by: CancelledBy | None
    epoch: int

    def head(self, run_id: str) -> RunHead:
        """Return it as a head; who read it last, and when, is not kept."""
        return RunHead(
            run_id,
            self.owner,
            self.end_offset,
            is_closed=True,
            cancel_requested_by=self.cancel_by,
            epoch=self.epoch,
            holder=None,
            last_read_at=self.closed_at,
        )


class ReadHead(Job[ClosedRun], eq=False, kw_only=True):
    """Return what is known of a run that has ended."""

    run_id: str


class ReadClosed(Job[tuple[ClosedRun, Sequence[Record]]], eq=False, kw_only=True):
    """Return records of a run that has ended, and what is known of it."""

    run_id: str
    after: int
    limit: int


class ReadSlices(Job[Sequence[Record]], eq=False, kw_only=True):
    """Return records of an open run that are in slices."""

    number: int
    after: int
    limit: int


ReadJob: TypeAlias = ReadHead | ReadClosed | ReadSlices
