"""What a text stream reads from: a provider's answer, or a run on a server.

Names no concrete one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol, TypeAlias

from tickertape.core.events import CancelledBy, Event


class Source(Protocol):
    """Batches of events. Belongs to one event loop; one task reads it at a time."""

    @property
    def detail(self) -> str:
        """Return what only an operator should read about a failure."""

    async def next(self) -> Sequence[Event]:
        """Return the next events, at least one; the last batch ends with `RunEnded`.

        Being cancelled loses nothing: the next call goes on where this one was.
        """

    def cancel(self, by: CancelledBy) -> None:
        """Cancel the run. A `next` that waits goes on to the run's end. Safe to repeat."""


OpenSource: TypeAlias = Callable[[], AsyncGenerator[Source, None]]
"""Yields one source, and closes it afterwards.

An async generator, because an event loop closes the generators that nobody holds
any more, and those left when it ends: a stream that is dropped in the middle
closes its connection without being told to.
"""
