"""Waiting for sockets without sleeping.

A loop that sleeps wakes up to a millisecond late, and waking it is charged to
the server that writes to it (on a virtual machine, dearly). So the rig burns
its core.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from socket import socket


class Poller:
    """Readable sockets → calls."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[], None]] = {}
        self._connections: dict[int, socket] = {}
        self.idle_s = 0.0
        """How long nothing was to be done, in all."""

    def watch(self, connection: socket, call: Callable[[], None]) -> None:
        """Call `call` whenever the socket can be read."""
        self._calls[connection.fileno()] = call
        self._connections[connection.fileno()] = connection
        self._epoll.register(connection, select.EPOLLIN)

    def close(self, connection: socket) -> None:
        """Close the socket, and forget it."""
        if connection.fileno() >= 0:
            self._epoll.unregister(connection)
            del self._calls[connection.fileno()]
            del self._connections[connection.fileno()]
            connection.close()

    def close_all(self) -> None:
        """Close every socket that is watched, and watch no more."""
        for connection in list(self._connections.values()):
            self.close(connection)
        self._epoll.close()

    def poll_until(self, at_s: float) -> None:
        """Serve the sockets until that time of the monotonic clock."""
        while time.monotonic() < at_s:
            self.poll()

    def poll_while(self, is_waiting: Callable[[], object], *, timeout_s: float) -> None:
        """Serve the sockets as long as `is_waiting` gives something true.

        Raises:
            TimeoutError: it still does when time is up.
        """
        deadline_s = time.monotonic() + timeout_s
        while is_waiting():
            self.poll()
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"waited {timeout_s:.0f} s for {is_waiting.__doc__}")

    def poll(self) -> None:
        """Serve the sockets that can be read now."""
        started_s = time.monotonic()
        ready = self._epoll.poll(0)
        if not ready:
            self.idle_s += time.monotonic() - started_s
        for fileno, _ in ready:
            if fileno in self._calls:
                self._calls[fileno]()
