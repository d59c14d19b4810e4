"""A run as it stands: what its records fold to, and the cursor to go on from.

Reads the log once. Whoever wants to see more comes goes on with a tail.
"""

from __future__ import annotations

from dataclasses import dataclass

from tickertape.core.cursor import AT_BEGINNING, Cursor
from tickertape.core.run_state import RunState
from tickertape.engine.tail import READ_LIMIT, read_on
from tickertape.logs.base import EventLog


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a run's events fold to, up to and with the record at the cursor."""

    state: RunState
    cursor: Cursor


async def take_snapshot(log: EventLog, run_id: str) -> Snapshot:
    """Return the run as it stands.

    Raises:
        UnknownRun, RunTrimmed: the run is not, or no longer, here.
        RecordsLost: some were, while it was being read.
    """
    state = RunState()
    cursor = AT_BEGINNING
    while True:
        part = await read_on(log, run_id, after=cursor)
        for record in part.records:
            state.apply(record.event)
            cursor = Cursor(record.offset, record.epoch)
        if len(part.records) < READ_LIMIT:
            return Snapshot(state, cursor)
