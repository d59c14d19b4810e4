"""The provider simulator: answers each request with a stream that the rig plays.

One write is one HTTP chunk, as when a gateway releases what it held back.
"""

from __future__ import annotations

import re
import socket
from functools import partial
from typing import Final

from benchmarks import azure_stream
from benchmarks.rig import http1
from benchmarks.rig.poller import Poller

_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_END: Final = http1.framed(b"".join(azure_stream.closing(1))) + http1.framed(b"")


class Provider:
    """The listening socket, its connections, and the streams now open on them."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self._received: dict[socket.socket, bytes] = {}
        self.streams: dict[int, socket.socket] = {}
        """By the number that each request bears."""
        poller.watch(self._listener, self._accept)

    @property
    def port(self) -> int:
        """Return where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def write(self, stream: int, chunks: bytes) -> None:
        """Send more of a stream, in one piece."""
        self.streams[stream].sendall(http1.framed(chunks))

    def end(self, stream: int) -> None:
        """Send a stream's end. The connection stays open for later requests."""
        self.streams.pop(stream).sendall(_END)

    def end_streams(self) -> None:
        """Send every stream's end."""
        for stream in list(self.streams):
            self.end(stream)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received[connection] = b""
        self._poller.watch(connection, partial(self._read, connection))

    def _read(self, connection: socket.socket) -> None:
        read = connection.recv(65_536)
        if not read:
            del self._received[connection]
            self._poller.close(connection)
            return
        received = self._received[connection] + read
        end = http1.request_end(received)
        self._received[connection] = received[end or 0 :]
        if end is not None:
            number = re.search(rb"stream (\d+)", received[:end])
            assert number is not None, received
            self.streams[int(number[1])] = connection
            connection.sendall(_HEAD + http1.framed(b"".join(azure_stream.opening())))
