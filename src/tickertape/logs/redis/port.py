"""What the Redis log asks of a connection to Redis, and nothing else of it.

Everything the log does to the data is a *named script*: a file in `scripts/`,
which opens with its keys, arguments and replies; but for `read`, of which the same
stands in `commands`. Redis runs each in one step, and all keys of a call are in one
hash slot. Beside that there are channels, which
Redis forgets messages of, as a connection may.

`connection` is the real one. A model of it in memory can take its place.
Knows neither runs nor sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Reply: TypeAlias = list[Any]
"""A script's reply: a word in bytes, then bytes, integers, None, or lists of these."""


class PortLost(Exception):
    """No answer came: the script may have run, may not have, or may run yet.

    Text that names the place (never a password) and the cause.
    """


class PortRefused(Exception):
    """Redis answered with an error, and the script did not run.

    `code` is the answer's first word (`OOM`, `READONLY`, `LOADING`, `NOAUTH` …).
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class PortListener(Protocol):
    """Whom the port tells of what it hears. No call may block or raise."""

    def message(self, channel: bytes, payload: bytes) -> None:
        """Somebody published to a channel that is subscribed to."""

    def subscribed(self, channel: bytes) -> None:
        """From now on every message of the channel is heard, until `lost`.

        Told once for each `subscribe`, and again after a lost connection.
        """

    def lost(self) -> None:
        """Messages of every channel may have been missed since the last one.

        `subscribed` follows for each channel when they are heard again.
        """


class RedisPort(Protocol):
    """Scripts and channels of one Redis. Used from one event loop.

    Any number of calls may be in flight; they run in the order in which they were
    made, except where a connection was lost in between.
    """

    place: str
    """Where Redis is, in words for errors: no password in it."""

    async def open(self, listener: PortListener) -> None:
        """Connect.

        Raises:
            ConfigurationError: the URL is wrong, nobody answers there, the password
                is, or the version is too old; names the place and the way out.
        """

    def call(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> asyncio.Future[Reply]:
        """Run the script of that name. Who cancels the future does not undo the call.

        The future raises:
            PortLost: no answer came within the port's own limit, or no connection did.
            PortRefused: Redis refused.
        """

    def subscribe(self, channel: bytes) -> None:
        """Hear a channel from soon on (`PortListener.subscribed`); it is not heard yet."""

    def unsubscribe(self, channel: bytes) -> None:
        """Hear it no more. A message that was on its way may still come."""

    async def close(self) -> None:
        """Give the connections up; calls in flight raise `PortLost`. Safe to repeat."""
