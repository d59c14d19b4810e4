"""What is checked in every cell, from both sides of it."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest

from tests.matrix.dialects import Dialect
from tests.matrix.oracle import read
from tests.matrix.truths import PROVIDERS_WORDS, Case, CutAfter, Truth, failed, whole
from tests.matrix.ways import Delivery
from tickertape.core.errors import RunFailed
from tickertape.core.events import AttemptEnded, RunStarted, TextDelta
from tickertape.testing.fault_server import Exchange, Faults, FaultServer
from tickertape.testing.scenarios import Playable

KEY = "the-key-that-nobody-may-see"
_GOOD = Faults()


async def truth_of(case: Case, dialect: Dialect, server: FaultServer) -> Truth:
    """Return the case's truth; where bytes decide, by asking again without the fault."""
    if isinstance(case.truth, Truth):
        return case.truth
    body = await whole_body(server)
    assert case.truth.body_bytes < len(body)
    return truth_of_cut(case.truth, dialect, body)


def truth_of_cut(cut: CutAfter, dialect: Dialect, body: bytes) -> Truth:
    """Return the truth of an answer of which only the first bytes came."""
    said = read(dialect.api, body[: cut.body_bytes])
    if said.is_finished:
        return whole(text=said.text, has_usage=said.has_usage, ended_by=cut.ended_by)
    return failed(cut.code, said.text, ended_by=cut.ended_by)


async def whole_body(server: FaultServer, good: Playable = _GOOD) -> bytes:
    """Send the first request once more, without a fault, and return the answer's bytes."""
    request = server.requests[0]
    server.play(good)
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{server.url}{request.path}?{query}",
            data=request.raw_body,
            headers={"api-key": KEY, "Authorization": f"Bearer {KEY}"},
        ) as response,
    ):
        return await response.read()


async def check_exchanges(
    exchanges: list[Exchange], truth: Truth, dialect: Dialect, *, prompt: str
) -> None:
    """Check the provider's side: what it was asked, and how its connections ended."""
    assert truth.requests == len(exchanges)
    for exchange in exchanges:
        assert await exchange.ended() in truth.ended_by
        assert truth.status in {None, exchange.status}
        assert prompt == dialect.prompt_in(exchange.request.body)
        assert KEY in str(exchange.request.headers)


def check_delivery(delivery: Delivery, truth: Truth, *, attempts: int, is_told: bool) -> None:
    """Check the reader's side: the exact text, one end, and a true one."""
    assert type(delivery.events[0]) is RunStarted
    [ended] = delivery.ends
    assert ended is delivery.events[-1]
    assert truth.text == delivery.text
    assert (truth.outcome, truth.finish_reason) == (ended.outcome, ended.finish_reason)
    texts = [event.text for event in delivery.events if type(event) is TextDelta]
    assert sum(map(len, texts)) == ended.length
    assert truth.has_usage == (ended.usage is not None)
    if truth.lasts_s is not None:
        # To a tick of the server that shares the loop.
        assert truth.lasts_s == pytest.approx(ended.timings.duration_s, abs=0.3)
    recorded = [event for event in delivery.events if type(event) is AttemptEnded]
    assert (attempts if attempts > 1 else 0) == len(recorded)
    if truth.code is None:
        assert ended.error is None
        assert delivery.raised is None
        return
    assert (truth.code, truth.is_retryable) == (ended.error.code, ended.error.is_retryable)
    if is_told:
        assert isinstance(delivery.raised, RunFailed)
        assert (ended.error, truth.text) == (delivery.raised.error, delivery.raised.partial_text)


def check_that_nothing_leaks(delivery: Delivery) -> None:
    """Check P10: neither key nor the provider's words about a failure reach a reader."""
    for secret in (KEY, *PROVIDERS_WORDS):
        assert secret.encode() not in delivery.shown
    assert KEY not in str(delivery.raised)
    assert KEY not in repr(delivery.raised)


@contextlib.asynccontextmanager
async def nothing_left_running():
    """Check that the block leaves no task behind."""
    before = asyncio.all_tasks()
    yield
    assert set() == asyncio.all_tasks() - before


def open_connections() -> list[str]:
    """Return the fault server's connections that are open, by its tasks."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith("fault server connection")]
