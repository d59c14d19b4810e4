"""One run at a server of ours, which nobody needs to read, played by the rig."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Final

from benchmarks import azure_stream
from benchmarks.rig import http1
from benchmarks.rig.plan import MARK
from benchmarks.rig.processes import Server
from benchmarks.rig.readers import Reader
from benchmarks.rig.rig import Rig

_PATIENCE_S: Final = 30.0


class PlayedRun:
    """A run that was started with `Prefer: respond-async`, and what was sent of it."""

    def __init__(self, rig: Rig, path: str, number: int) -> None:
        self.path: Final = path
        """Where to read it, at any server that shares its log."""
        self.sent: Final[list[str]] = []
        """Its tokens, each of which ends with a mark."""
        self._rig = rig
        self._number = number

    def write(self, token: str) -> None:
        """Send a token, and a mark after it."""
        self.sent.append(token + MARK)
        self._rig.provider.write(self._number, azure_stream.token_chunk(token + MARK))

    def write_stamp(self) -> None:
        """Send a token whose text is the time of its sending."""
        self.write(f"@{time.monotonic_ns() // 1000:016d}")

    def end(self) -> None:
        """Send its end."""
        self._rig.provider.end(self._number)

    @property
    def text(self) -> str:
        """Return all text that has been sent."""
        return "".join(self.sent)

    def read(self, server: Server, *, after: str | None = None) -> Reader:
        """Open a reader of the run, from its beginning or after a cursor."""
        request = http1.resume(self.path, after=after)
        return Reader(self._number, port=server.port, request=request, poller=self._rig.poller)


def start_runs(rig: Rig, server: Server, numbers: Sequence[int]) -> list[PlayedRun]:
    """Start runs with these numbers, one after another, and see them reach the provider.

    Raises:
        ValueError: one was refused. TimeoutError: one did not reach the provider.
    """
    runs = [PlayedRun(rig, _start(server, number), number) for number in numbers]

    def are_missing() -> bool:
        """Every run to reach the provider."""
        return not set(numbers) <= rig.provider.streams.keys()

    rig.poller.poll_while(are_missing, timeout_s=_PATIENCE_S)
    return runs


def await_marks(rig: Rig, readers: Sequence[Reader], count: int) -> None:
    """See every reader get that many tokens in all.

    Raises:
        TimeoutError: one did not.
    """
    waiting = list(readers)

    def are_waiting() -> bool:
        """Every reader to get its tokens."""
        while waiting and waiting[-1].marks >= count:
            waiting.pop()
        return bool(waiting) and not waiting[-1].is_ended

    rig.poller.poll_while(are_waiting, timeout_s=_PATIENCE_S)


def await_ends(rig: Rig, readers: Sequence[Reader]) -> None:
    """See every reader get to the end.

    Raises:
        TimeoutError: one did not.
    """

    def are_open() -> bool:
        """Every reader to get to the end."""
        return not all(reader.is_ended for reader in readers)

    rig.poller.poll_while(are_open, timeout_s=_PATIENCE_S)


def _start(server: Server, number: int) -> str:
    request = http1.request(server.path, stream=number, headers="Prefer: respond-async\r\n")
    received = b""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request)
        while (path := http1.location_of(received)) is None:
            read = connection.recv(65_536)
            if not read:
                raise ValueError(f"no run was started: {received!r:.400}")
            received += read
    return path
