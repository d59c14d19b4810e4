"""Background responses: they go on while nobody is connected, and can be read again.

Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from tickertape.testing.fault_server.call import Call
from tickertape.testing.fault_server.frames import Frame
from tickertape.testing.fault_server.responses import ResponseStatus, response_body

MAX_STORED = 1024
"""The oldest is forgotten first."""


class StoredResponse:
    """One background response: all its frames, and how many of them there are yet."""

    def __init__(self, call: Call, frames: Sequence[Frame]) -> None:
        self.id = f"resp_{call.id}"
        self.was_streamed = bool(call.asked.stream)
        self.frames = frames
        self.model = call.model
        self._call = call
        self._produced = 0
        self._is_cancelled = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will be produced."""
        return self._is_cancelled or self._produced == len(self.frames)

    @property
    def body(self) -> dict[str, object]:
        """Return the response object as it is now."""
        status: ResponseStatus | None = None
        if self._is_cancelled:
            status = "cancelled"
        elif not self.is_over:
            status = "in_progress" if self._produced else "queued"
        elif any(frame.kind == "error" for frame in self.frames):
            status = "failed"
        return response_body(self._call, status)

    def after(self, number: int | None) -> list[int]:
        """Return where the frames with higher sequence numbers stand, also those to come.

        None gives all of them.
        """
        return [
            at
            for at, frame in enumerate(self.frames)
            if number is None
            or (frame.sequence_number is not None and frame.sequence_number > number)
        ]

    def cancel(self) -> None:
        """Produce nothing more. Changes nothing when it is over."""
        if not self.is_over:
            self._is_cancelled = True
            self._wake()

    async def produce(
        self, *, per_step: int, pace_s: float, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        """Produce all frames, at this pace. Cancelling the response ends it."""
        while not self.is_over:
            self._produced = min(self._produced + per_step, len(self.frames))
            self._wake()
            if pace_s and not self.is_over:
                await sleep(pace_s)

    async def has_produced(self, at: int) -> bool:
        """Wait until frame number `at` is there; return False if it never will be."""
        while self._produced <= at and not self.is_over:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        return self._produced > at

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class ResponseStore:
    """The background responses that can still be read."""

    def __init__(self) -> None:
        self._responses: OrderedDict[str, StoredResponse] = OrderedDict()

    def add(self, response: StoredResponse) -> None:
        """Keep it, and forget the oldest when there are too many."""
        self._responses[response.id] = response
        while len(self._responses) > MAX_STORED:
            self._responses.popitem(last=False)

    def get(self, response_id: str) -> StoredResponse | None:
        """Return it, or None when it is not kept."""
        return self._responses.get(response_id)
