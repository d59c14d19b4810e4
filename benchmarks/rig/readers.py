"""The load client: opens streams at a server and keeps what arrives, with its time.

It counts marks and parses nothing; texts and delays are worked out afterwards.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import Final

from benchmarks.rig import http1
from benchmarks.rig.plan import MARK
from benchmarks.rig.poller import Poller

_MARK: Final = MARK.encode()
_DONE: Final = b"[DONE]"
_STAMP: Final = re.compile(rb"@(\d{16})")


class Reader:
    """One stream, as a client sees it."""

    def __init__(self, stream: int, *, port: int, request: bytes, poller: Poller) -> None:
        self.marks = 0
        """How many of the provider's writes have arrived, to the end."""
        self.is_ended = False
        self.on_mark: Callable[[int], None] | None = None
        """Called with the stream's number when a write has arrived."""
        self._stream = stream
        self._poller = poller
        self._reads: list[tuple[float, bytes]] = []
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._connection.sendall(request)
        poller.watch(self._connection, self._read)

    def close(self) -> None:
        """Close the connection."""
        self._poller.close(self._connection)

    @property
    def text(self) -> str:
        """Return all text that has arrived.

        Raises:
            ValueError: the stream was refused or cut.
        """
        return http1.text_of(self.body)

    @property
    def body(self) -> bytes:
        """Return the body, as far as it has arrived.

        Raises:
            ValueError: the stream was refused.
        """
        return http1.body_of(b"".join([read for _, read in self._reads]))

    @property
    def received_bytes(self) -> int:
        """Return how many bytes have arrived, headers included."""
        return sum(len(read) for _, read in self._reads)

    @property
    def delays_s(self) -> list[float]:
        """Return how long each stamped token took."""
        return [
            at_s - int(found) / 1e6 for at_s, read in self._reads for found in _STAMP.findall(read)
        ]

    def _read(self) -> None:
        read = self._connection.recv(65_536)
        self._reads.append((time.monotonic(), read))
        if not read:
            self.is_ended = True
            self.close()
            return
        found = read.count(_MARK)
        self.marks += found
        # The end comes after the last mark, be it in the same read.
        if not found or _DONE in read:
            self.is_ended |= _DONE in b"".join([kept for _, kept in self._reads[-2:]])
        if found and self.on_mark is not None:
            self.on_mark(self._stream)
