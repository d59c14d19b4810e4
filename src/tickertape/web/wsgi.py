"""A feed as the body of a WSGI response: pulled by the server's thread, one write a batch.

A WSGI server learns that a reader has left only when a write fails, and the first
write after the reader's end of file still succeeds. So the body looks at the
server's socket itself, where the server shows it: a reader that leaves frees its
thread at once. Elsewhere the second heartbeat does.

Knows no framework.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, Self

from tickertape.core.errors import TickertapeError
from tickertape.web.threaded import Loop

_CONNECTION_KEYS: Final = ("gunicorn.socket", "werkzeug.socket")


class Feed(Protocol):
    """One reader's bytes, as every wire's feed gives them."""

    async def next(self) -> bytes:
        """Return what to write next; `b""` when all was written."""

    def close(self) -> None:
        """Leave; a waiting `next` returns at once."""


class FeedBody:
    """A WSGI response iterable. For one thread at a time; servers close it in every case."""

    def __init__(
        self,
        feed: Feed,
        *,
        loop: Loop,
        note: Callable[[TickertapeError], None],
        connection: socket.socket | None = None,
    ) -> None:
        """Take the feed over. `connection` is its reader's, to look at; see `connection_of`.

        `note` gets the error of ours that breaks the feed off.
        """
        self._feed = feed
        self._note = note
        self._loop = loop
        self._connection = connection
        self._watched: int | None = None
        self._has_begun = False
        self._is_over = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Wait for the next blocks, or a heartbeat. Ends when the run has, or the reader left.

        Raises:
            ConnectionResetError: the feed broke off. Servers close the connection for it
                in silence, without an end of the body, so that the reader resumes.
        """
        if not self._has_begun:
            # Nothing, but servers send their headers with it: a reader that resumes
            # in the middle of a pause knows at once that it is connected.
            self._has_begun = True
            return b""
        try:
            block = b"" if self._is_over else self._loop.call(self._pull())
        except TickertapeError as error:
            self._note(error)
            raise ConnectionResetError(errno.ECONNRESET, "the feed broke off") from error
        if not block:
            self._is_over = True
            raise StopIteration
        return block

    def close(self) -> None:
        """Leave; the run goes on. Safe to repeat."""
        if not self._is_over:
            self._is_over = True
            self._loop.call(self._leave())

    async def _pull(self) -> bytes:
        self._watch()
        block = await self._feed.next()
        if not block:
            await self._leave()
        return block

    async def _leave(self) -> None:
        self._unwatch()
        self._feed.close()

    def _watch(self) -> None:
        """Have the loop tell when the connection can be read, once."""
        if self._connection is None or self._watched is not None:
            return
        # Windows' own event loop has no readers; heartbeats must do there.
        with suppress(NotImplementedError):
            self._watched = self._connection.fileno()
            asyncio.get_running_loop().add_reader(self._watched, self._look, self._connection)

    def _look(self, connection: socket.socket) -> None:
        """Leave if there is an end to read. The reader's next request tells nothing more."""
        self._unwatch()
        if _is_at_end(connection):
            self._feed.close()

    def _unwatch(self) -> None:
        # Before the server closes the socket: then its number may become another's.
        if self._watched is not None:
            with suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(self._watched)
        self._connection = self._watched = None


def connection_of(environ: Mapping[str, Any]) -> socket.socket | None:
    """Return the reader's socket where the server shows it, unless TLS hides its end."""
    for key in _CONNECTION_KEYS:
        connection = environ.get(key)
        if isinstance(connection, socket.socket) and not isinstance(connection, ssl.SSLSocket):
            return connection
    return None


def _is_at_end(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
