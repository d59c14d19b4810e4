"""One worker: a process that serves a socket it was given, for as long as its parent wants.

`python -m tickertape.web.worker FD`; only `workers` starts it. It reads its settings
and then orders from stdin, and reports on what was its stdout. The orders' pipe is also
its lifeline: its end means that the parent is gone, however that came about.

Signals only ever drain it, however many come: whoever stops a service signals all
its processes (systemd does), and what the parent passes on must not count twice.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec
from msgspec import Struct

from tickertape.core.errors import TickertapeError
from tickertape.web.serve_settings import ServeSettings
from tickertape.web.server import Server, run_server, signals

DRAIN: Final = b"drain\n"
END: Final = b"end\n"
"""The orders: let running answers finish, then stop; end them now."""

_ORDERS: Final = 0
_LENGTH_BYTES: Final = 4


class Report(Struct, frozen=True):
    """What a worker says once: that it serves, or why it can't."""

    complaint: str | None = None


def encode_settings(settings: ServeSettings) -> bytes:
    """Return what a worker reads first. Not in its command line: a log's URL has a password."""
    payload = msgspec.msgpack.encode(settings)
    return len(payload).to_bytes(_LENGTH_BYTES) + payload


def main() -> None:
    """Serve until ordered to stop, or until the parent is gone."""
    report = os.dup(1)
    os.dup2(2, 1)  # whatever prints, prints where people read
    length = int.from_bytes(_read(_LENGTH_BYTES))
    settings = msgspec.msgpack.decode(_read(length), type=ServeSettings)
    logging.basicConfig(
        format="%(asctime)s [%(process)d] %(levelname)s %(message)s", level=logging.WARNING
    )
    logging.getLogger("tickertape").setLevel(logging.INFO)
    try:
        with socket.socket(fileno=int(sys.argv[1])) as listener:
            run_server(
                settings,
                listener,
                environment=os.environ,
                on_ready=lambda: _say(report, Report()),
                orders=_obey_parent,
            )
    except TickertapeError as error:
        _say(report, Report(complaint=str(error)))
        sys.exit(1)


def _read(count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = os.read(_ORDERS, count - len(received))
        if not chunk:
            sys.exit("tickertape.web.worker: no settings came; `tickertape serve` starts workers")
        received += chunk
    return received


def _say(report: int, what: Report) -> None:
    with suppress(BrokenPipeError):  # the parent is gone: the lifeline says so, too
        os.write(report, msgspec.json.encode(what) + b"\n")


@contextmanager
def _obey_parent(server: Server) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def read() -> None:
        orders = os.read(_ORDERS, 4096)
        if not orders:
            loop.remove_reader(_ORDERS)
            # Whoever comes after the parent wants the port.
            server.stop_listening()
        if END in orders:
            server.stop_now()
        server.stop()

    loop.add_reader(_ORDERS, read)
    try:
        with signals(lambda number, frame: server.stop()):
            yield
    finally:
        loop.remove_reader(_ORDERS)


if __name__ == "__main__":
    main()
