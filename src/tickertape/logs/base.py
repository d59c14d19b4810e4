"""The log: what the engine asks of one, and what every log promises.

A log keeps, for each run, an append-only sequence of records.

- *Dense.* Offsets go 0, 1, 2 … without gaps; the end offset is the next one.
- *All or none.* An append stores all of its events, or raises and stores none.
- *Acknowledged is kept.* What `append` returned for can be read from then on, by
  every reader, as long as the run is kept.
- *Closed is closed.* `RunEnded` closes the run in the same step; nothing follows.
- *Started once.* One owner's idempotency key names one run, however many start it.
- *Leased.* A run that was created by a holder is its own until its lease runs out;
  then any other may take the run over, and of many who try, one does.
- *Fenced.* Taking over gives the run a new epoch; an append from another is refused.
  It is the epoch that fences, not the time: until somebody takes the run over, a
  writer whose lease ran out may go on.
- *Nobody's for ever.* A log that survives its process has, when it is opened again,
  ended what was open (and may have forgotten the leases), or keeps it open with its
  holder, epoch and lease.
- *Kept, then trimmed.* A closed run is kept for the log's retention time, then
  trimmed whole; reading it afterwards says so.

Any call may raise `LogUnavailable`: the log can't be reached or written now. An
append whose caller was cancelled, or that raised it, may still be stored: whole.
A log that lost what it had acknowledged (a database restored from yesterday's copy)
says `RecordsLost`, and never stores or returns something else in its place
under the same offset and epoch.

Knows no transport and no kind of client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from tickertape.core.events import CancelledBy, Event, RunStarted
from tickertape.core.record import Record


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` did."""

    run_id: str
    """The new run's, or that of the run which the idempotency key already named."""
    epoch: int
    """The writer's epoch; meaningless unless `is_new`."""
    is_new: bool


class Slice(Struct, frozen=True, gc=False):
    """What one read found: records in order, all of them after the cursor."""

    records: Sequence[Record]
    is_closed: bool
    """The run has ended, and nothing comes after these records."""


@dataclass(frozen=True, slots=True)
class RunHead:
    """What a log knows of a run without reading its records."""

    run_id: str
    owner: str | None
    end_offset: int
    is_closed: bool
    cancel_requested_by: CancelledBy | None
    epoch: int
    holder: str | None
    """Who may write it; None: nobody's lease covers it, or it is closed."""
    last_read_at: float
    """When somebody was last known to read it (`note_read`), or when it was created.

    Means nothing once it is closed.
    """


@dataclass(frozen=True, slots=True)
class LapsedRun:
    """An open run whose holder has no lease now."""

    run_id: str
    epoch: int


class Watch(Protocol):
    """A wake-up that was asked for."""

    def close(self) -> None:
        """Call no more. Safe to repeat."""


class EventLog(Protocol):
    """A place that keeps runs. Safe for use by many tasks of one event loop."""

    async def create(
        self,
        started: RunStarted,
        *,
        owner: str | None = None,
        idempotency_key: str | None = None,
        fingerprint: str = "",
        holder: str | None = None,
    ) -> Created:
        """Create the run with `started` as its first record, or join an earlier one.

        The key counts per owner. Key and run are stored in one step, as far as anybody
        can tell: a new run may get the id of an earlier start that died in between
        (use `Created.run_id`). `holder`'s lease covers the new run, whenever it is
        granted; nobody's, if None. A run that is joined stays its holder's.

        Raises:
            IdempotencyConflict: the key's run was started with another fingerprint.
        """

    async def find(
        self, idempotency_key: str, *, owner: str | None = None, fingerprint: str = ""
    ) -> str | None:
        """Return the run that the owner's key names, if there is one.

        Raises:
            IdempotencyConflict: the key's run was started with another fingerprint.
        """

    async def append(self, run_id: str, events: Sequence[Event], *, epoch: int) -> int:
        """Append events in order and return the run's end offset.

        Raises:
            StaleEpoch: this is not the run's epoch; stop writing. Before `LogClosed`,
                if both hold.
            LogClosed: the run has ended.
            UnknownRun, RunTrimmed: the run is not, or no longer, here.
        """

    async def read(self, run_id: str, *, after: int, limit: int = 1024) -> Slice:
        """Return the first `limit` records after `after`; fewer only where there are no more yet.

        Raises:
            CursorBeyondEnd: `after` was never written.
            UnknownRun, RunTrimmed: the run is not, or no longer, here.
        """

    async def head(self, run_id: str) -> RunHead:
        """Return what is known of the run.

        Raises:
            UnknownRun, RunTrimmed: the run is not, or no longer, here.
        """

    def watch(self, run_id: str, wake: Callable[[], None]) -> Watch:
        """Call `wake` after each append to the run, in the event loop's thread.

        `wake` must not block or raise. It may be called without cause, and once
        for many appends; never is one left out. Watch first, then read.
        """

    async def request_cancel(self, run_id: str, by: CancelledBy) -> None:
        """Ask the run's writer, wherever it is, to cancel. Safe to repeat; the first one counts.

        Raises:
            UnknownRun, RunTrimmed: the run is not, or no longer, here.
        """

    def watch_cancels(self, told: Callable[[str, CancelledBy], None]) -> Watch:
        """Call `told(run_id, by)` for every cancel request that this process should know of."""

    async def renew(self, holder: str, *, term_s: float) -> bool:
        """Make the holder's lease last `term_s` from now, for all its runs, later ones too.

        Return False if it had run out since it was last renewed: its runs may have been
        taken over meanwhile. A first one is True, and so is one after `release`. When
        `term_s` have passed it has run out; the log's own clock counts.
        """

    async def release(self, holder: str) -> None:
        """End the holder's lease now: what it still holds can be taken over. Safe to repeat."""

    async def lapsed(self, *, limit: int = 100) -> Sequence[LapsedRun]:
        """Return open runs whose holder has no lease now, at most `limit` of them.

        It ran out, was released, or never was. Runs without a holder never lapse.
        """

    async def take_over(self, run_id: str, *, holder: str, epoch: int) -> int:
        """Gain the right to write the run from the writer with this epoch; return the new one.

        The new epoch is higher than any that the run had. Whoever wrote it so far is
        fenced from now on; owner, key, cancel request and watches stay, so look whether
        somebody has asked to cancel. Renew first: a holder without a lease may take
        over, and then so may the next. A holder may take over from itself at any time.

        Raises:
            StaleEpoch: somebody else has taken it over. Before `LeaseHeld`, if both hold.
            LeaseHeld: its holder's lease has not run out, or it has no holder.
            LogClosed: the run has ended, whatever the epoch.
            UnknownRun, RunTrimmed: the run is not, or no longer, here.
        """

    async def note_read(self, run_ids: Sequence[str]) -> None:
        """Note that somebody reads these runs now. Those that are not here are left out."""

    async def check(self) -> None:
        """Return if the log can be reached and written now.

        Raises:
            LogError: it can't; the message says why.
        """

    async def close(self) -> None:
        """Release what the log holds. Runs stay as they are."""
