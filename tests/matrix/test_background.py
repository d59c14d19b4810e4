"""Background responses: a broken connection is no end; the answer is taken up, whole and once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.matrix.checks import (
    KEY,
    check_delivery,
    check_that_nothing_leaks,
    nothing_left_running,
    open_connections,
    whole_body,
)
from tests.matrix.conftest import FIGURES
from tests.matrix.connection_cases import places
from tests.matrix.dialects import BACKGROUND
from tests.matrix.truths import DEADLINES, HUNG_UP, Truth, failed, whole, words
from tests.matrix.ways import WAYS, Delivery, run_to_end, settle
from tickertape.core.attempts import NO_RETRIES
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.providers.http import HttpTransport
from tickertape.testing.answers import Answer
from tickertape.testing.fault_server import (
    EndOfFile,
    Faults,
    FaultServer,
    Rejection,
    Reset,
    Stall,
    Turn,
)
from tickertape.testing.faults import Failure

pytestmark = pytest.mark.virtual_time

BREAKS: dict[str, Callable[[int], Failure]] = {
    "end of file": lambda at: EndOfFile(after_chunks=at),
    "end of file inside the body": lambda at: EndOfFile(after_chunks=at, ends_body=False),
    "reset": lambda at: Reset(after_chunks=at),
}
of_each_dialect = pytest.mark.parametrize("dialect", BACKGROUND, ids=lambda each: each.name)
by_each_way = pytest.mark.parametrize("way", WAYS)


async def read(dialect, way, *turns):
    """Return what a reader gets, and the provider's exchanges."""
    async with nothing_left_running(), FaultServer(*turns, api_key=KEY) as server:
        async with HttpTransport(connect_timeout_s=1) as transport:
            provider = dialect.provider(transport, url=server.url, api_key=KEY)
            async with asyncio.timeout(300):
                delivery = await WAYS[way](provider, dialect.request(), DEADLINES)
            await provider.close()
        assert await settle(lambda: not open_connections())
        return delivery, server.exchanges


def check(delivery: Delivery, truth: Truth, way: str, *, attempts: int = 1) -> None:
    check_delivery(delivery, truth, attempts=attempts, is_told=way != "engine")
    check_that_nothing_leaks(delivery)


def methods(exchanges):
    return [exchange.request.method for exchange in exchanges]


@by_each_way
@of_each_dialect
@pytest.mark.parametrize("place", places(BACKGROUND[0]))
@pytest.mark.parametrize("kind", BREAKS)
async def test_p1_a_break_is_taken_up_where_it_was(kind, place, dialect, way):
    """Before the response has a name it is asked for again; after its end nothing is."""
    at = places(dialect)[place]
    delivery, exchanges = await read(dialect, way, Faults(failure=BREAKS[kind](at)), Faults())
    expected = ["POST", "GET"] if 0 < at < dialect.after_finish else ["POST"]
    if at == 0:
        expected = ["POST", "POST"]
    assert expected == methods(exchanges)
    check(delivery, whole(), way, attempts=2 if at == 0 else 1)


@by_each_way
@of_each_dialect
async def test_p1_a_connection_that_breaks_time_and_again_is_taken_up_each_time(dialect, way):
    """As long as each brings an event: here three, of eleven times as many."""
    assert 11 * 3 == dialect.after_all
    delivery, exchanges = await read(dialect, way, Faults(failure=Reset(after_chunks=3)))
    assert ["POST"] + ["GET"] * 10 == methods(exchanges)
    after = [exchange.request.query.get("starting_after") for exchange in exchanges]
    assert [None, *[str(3 * turn - 1) for turn in range(1, 11)]] == after
    check(delivery, whole(), way)


@by_each_way
@of_each_dialect
async def test_a_response_that_is_gone_is_truncated(dialect, way):
    """The text that came stays."""
    gone = Faults(failure=Rejection(status=404, body={"error": {"message": "gone"}}))
    first = Faults(failure=Reset(after_chunks=dialect.after_words(4)))
    delivery, exchanges = await read(dialect, way, first, gone)
    assert ["POST", "GET"] == methods(exchanges)[:2]
    check(delivery, failed("truncated", words(4)), way)


@by_each_way
@of_each_dialect
async def test_p4_a_stalled_response_is_stopped_at_the_provider(dialect, way):
    """Closing the connection would not stop it, so it is cancelled by name."""
    stall = Faults(failure=Stall(after_chunks=dialect.after_words(4)))
    delivery, exchanges = await read(dialect, way, stall)
    assert ["POST", "POST"] == methods(exchanges)
    assert exchanges[1].request.path.endswith("/cancel")
    assert exchanges[0].ended_by in HUNG_UP
    check(delivery, failed("stalled", words(4)), way)


async def test_p1_a_cut_at_any_byte_loses_and_repeats_nothing(record_property):
    """The text and its end are whole, wherever the first connection ended."""
    dialect = BACKGROUND[0]
    answer = Answer(text="naïve 東京 🙂", prompt_filter_results=None, filters="off")
    good = Turn(answer=answer)
    truth = whole(text=answer.text)
    step = 9
    async with (
        nothing_left_running(),
        asyncio.timeout(100_000),
        FaultServer(good, api_key=KEY) as server,
        HttpTransport() as transport,
        Engine(MemoryLog(), deadlines=DEADLINES, retry=NO_RETRIES) as engine,
    ):
        provider = dialect.provider(transport, url=server.url, api_key=KEY)
        await run_to_end(engine, provider, dialect.request())
        body = await whole_body(server, good)
        named = body.index(b"\n\n") + 2
        for at in range(named, len(body), step):
            cut = EndOfFile(after_bytes=at, ends_body=False)
            server.play(Turn(answer=answer, faults=Faults(failure=cut)), good)
            delivery = Delivery(events=await run_to_end(engine, provider, dialect.request()))
            check_delivery(delivery, truth, attempts=1, is_told=False)
        await provider.close()
    cuts = len(range(named, len(body), step))
    record_property(FIGURES, f"{cuts} of {len(body)} bytes of {dialect.name}: end of file")
