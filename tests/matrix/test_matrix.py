"""The matrix: every fault, on every API, by every way to a reader, tells the truth.

One cell is a provider that misbehaves on a real socket, read to its end. The table
is `table`, the APIs are `dialects`, the ways are `ways`. The clock is virtual.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct

from tests.matrix.checks import (
    KEY,
    check_delivery,
    check_exchanges,
    check_that_nothing_leaks,
    nothing_left_running,
    open_connections,
    truth_of,
)
from tests.matrix.dialects import DIALECTS, Dialect
from tests.matrix.table import cases
from tests.matrix.truths import DEADLINES, Case
from tests.matrix.ways import WAYS, settle
from tickertape.providers.http import HttpTransport
from tickertape.testing.fault_server import FaultServer

pytestmark = pytest.mark.virtual_time

HANGS_AFTER_S = 300
"""Of virtual time: longer than all deadlines of a case together."""


class Cell(Struct, frozen=True):
    """One place in the matrix."""

    case: Case
    dialect: Dialect
    way: str

    def __str__(self) -> str:
        return f"{self.case.name} | {self.dialect.name} | {self.way}"


CELLS = [
    pytest.param(
        Cell(case, dialect, way),
        marks=[pytest.mark.xfail(strict=True, reason=case.bug)] if case.bug else [],
    )
    for dialect in DIALECTS
    for case in cases(dialect)
    for way in dialect.ways
]


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_cell(cell):
    """A reader gets the exact text and the true end; nothing hangs, stays open, or leaks."""
    case, dialect = cell.case, cell.dialect
    settings = {"api_key": KEY, **case.server}
    async with nothing_left_running(), FaultServer(**settings) as server:
        server.play(*case.turns)
        tls = trusting(server) if case.server.get("certificate") else None
        async with (
            address_of(case, server) as url,
            HttpTransport(connect_timeout_s=1, tls=tls) as transport,
        ):
            provider = dialect.provider(transport, url=url, api_key=KEY)
            request = dialect.request(case.prompt, n=case.n)
            async with asyncio.timeout(HANGS_AFTER_S):
                delivery = await WAYS[cell.way](provider, request, DEADLINES)
            exchanges = server.exchanges
            truth = await truth_of(case, dialect, server)
            await check_exchanges(exchanges, truth, dialect, prompt=case.prompt)
        # The transport is closed, and the server not yet: nothing of ours is still connected.
        assert await settle(lambda: not open_connections())
    attempts = truth.requests if truth.attempts is None else truth.attempts
    check_delivery(delivery, truth, attempts=attempts, is_told=cell.way != "engine")
    check_that_nothing_leaks(delivery)


def trusting(server: FaultServer) -> ssl.SSLContext:
    """Return a context that trusts the server's authority, and no other."""
    return ssl.create_default_context(cadata=server.authority_pem.decode())


@contextlib.asynccontextmanager
async def address_of(case: Case, server: FaultServer) -> AsyncIterator[str]:
    """Yield the URL that the provider is to call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        match case.address:
            case "server":
                yield server.url
            case "mute":
                yield f"http://127.0.0.1:{port}"
            case "mute with TLS":
                yield f"https://127.0.0.1:{port}"
            case "nobody":
                listener.close()
                yield f"http://127.0.0.1:{port}"
