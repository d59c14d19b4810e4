"""Exchanges: what the server was asked, and how each answer went from its side.

Written by the server's thread, read by any.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from tickertape.core.errors import TickertapeError
from tickertape.testing.fault_server.http_messages import HttpRequest
from tickertape.testing.fault_server.milestone import WAIT_TIMEOUT_S, Milestone, Waiting

MAX_EXCHANGES = 10_000
"""The oldest is forgotten first: a server that runs for days must not grow."""

EndedBy: TypeAlias = Literal[
    "finished",  # the whole answer was handed over
    "hung_up",  # the client closed the connection first
    "cut",  # a fault broke it off
    "server_closed",  # the server was closed meanwhile
]


class EndedOtherwise(TickertapeError):
    """An exchange ended, but not as a test was waiting for."""


class RecordedRequest(Struct, frozen=True, kw_only=True):
    """One request, decoded."""

    method: str
    path: str
    """Still percent-encoded, without the query."""
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    """The decoded JSON; None when there was none."""
    raw_body: bytes
    started_at: float
    """UTC, seconds since the epoch."""


class Exchange:
    """One request, and how its answer goes."""

    def __init__(self, request: RecordedRequest, *, connection: int) -> None:
        self.request = request
        self.connection = connection
        """Which of the server's connections it came on, counted from 0."""
        self.status: int | None = None
        self.chunks_sent = 0
        """Chunks handed to the network to their last byte."""
        self.bytes_sent = 0
        """Bytes of the body."""
        self.ended_by: EndedBy | None = None
        self._ended: Milestone[EndedBy] = Milestone()
        self._hung_up: Milestone[int] = Milestone()
        self._stalled: Milestone[int] = Milestone()
        self._resumed: Milestone[None] = Milestone()

    def __repr__(self) -> str:
        request = self.request
        return (
            f"<Exchange {request.method} {request.path} status={self.status} "
            f"chunks_sent={self.chunks_sent} ended_by={self.ended_by}>"
        )

    def ended(self, *, timeout_s: float = WAIT_TIMEOUT_S) -> Waiting[EndedBy]:
        """Wait until it is over; the result says how."""
        return self._ended.wait(f"the end of {self!r}", timeout_s=timeout_s)

    def hung_up(self, *, timeout_s: float = WAIT_TIMEOUT_S) -> Waiting[int]:
        """Wait until the client closes the connection; the result is `chunks_sent`.

        Raises (when waited for):
            EndedOtherwise: the exchange ended in another way.
        """
        return self._hung_up.wait(f"the client to hang up on {self!r}", timeout_s=timeout_s)

    def stalled(self, *, timeout_s: float = WAIT_TIMEOUT_S) -> Waiting[int]:
        """Wait until a `Stall` begins; the result is `chunks_sent`.

        Raises (when waited for):
            EndedOtherwise: the exchange ended without one.
        """
        return self._stalled.wait(f"a stall in {self!r}", timeout_s=timeout_s)

    def resume(self) -> None:
        """End the stall, now or when it begins; the rest of the answer follows."""
        self._resumed.reach(None)

    # What follows is the server's.

    def note_sent(self, *, chunks: int, body_bytes: int) -> None:
        """Count what was handed to the network."""
        self.chunks_sent += chunks
        self.bytes_sent += body_bytes

    def note_stall(self) -> Milestone[None]:
        """Say that a stall began; return what ends it."""
        self._stalled.reach(self.chunks_sent)
        return self._resumed

    def note_end(self, by: EndedBy) -> None:
        """Say how it ended. Only the first call counts."""
        if self.ended_by is not None:
            return
        self.ended_by = by
        otherwise = EndedOtherwise(f"the exchange ended otherwise: {self!r}")
        if by == "hung_up":
            self._hung_up.reach(self.chunks_sent)
        self._hung_up.miss(otherwise)
        self._stalled.miss(otherwise)
        self._ended.reach(by)


class ExchangeLog:
    """The last exchanges of a server, in the order in which their requests were complete."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._exchanges: deque[Exchange] = deque(maxlen=MAX_EXCHANGES)
        self._arrived = 0
        self._taken = 0
        self._arrivals: dict[int, Milestone[Exchange]] = {}
        """By the exchange's number; those that were not both reached and taken."""

    def record(self, request: HttpRequest, *, connection: int) -> Exchange:
        """Add an exchange for a request that just came."""
        recorded = RecordedRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=_decoded(request.body),
            raw_body=request.body,
            started_at=self._clock(),
        )
        exchange = Exchange(recorded, connection=connection)
        with self._lock:
            self._exchanges.append(exchange)
            arrival = self._arrival(self._arrived, is_last_use=self._arrived < self._taken)
            self._arrived += 1
            self._arrivals.pop(self._arrived - 1 - MAX_EXCHANGES, None)
        arrival.reach(exchange)
        return exchange

    def all(self) -> list[Exchange]:
        """Return them, oldest first."""
        with self._lock:
            return list(self._exchanges)

    def take_next(self, *, timeout_s: float) -> Waiting[Exchange]:
        """Wait for the first one that was not taken yet, whether it came already or not."""
        with self._lock:
            self._taken = max(self._taken, self._arrived - MAX_EXCHANGES)
            arrival = self._arrival(self._taken, is_last_use=self._taken < self._arrived)
            self._taken += 1
        return arrival.wait("a request", timeout_s=timeout_s)

    def _arrival(self, number: int, *, is_last_use: bool) -> Milestone[Exchange]:
        arrival = self._arrivals.pop(number, None) or Milestone()
        if not is_last_use:
            self._arrivals[number] = arrival
        return arrival


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        # Recorded as bytes; the answer to it (400) says what is wrong.
        return None
