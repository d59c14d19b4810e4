"""A record: an event as stored, with its place in the log."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from tickertape.core.events import Event

BEGINNING: Final = -1
"""The cursor of a reader that has seen nothing: `read(after=BEGINNING)` gives everything."""


class Record(Struct, frozen=True, gc=False):
    """One event at one offset. Offsets are dense from 0 within a run."""

    offset: int
    event: Event
    epoch: int
    appended_at: float
    """UTC, seconds since the epoch."""
