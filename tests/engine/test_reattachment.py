"""Answers that a provider stores survive the process that received them: whole, and once."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.processes import end_of, freeze, processes_over, read_to_end, text_of, thaw
from tickertape.core.events import AnswerStored, Event, RunEnded, TextDelta, Usage
from tickertape.logs.memory import MemoryLog
from tickertape.providers.base import Route
from tickertape.providers.catalog import Catalog
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import OpenAIProvider
from tickertape.testing.answers import Answer
from tickertape.testing.fault_server import (
    Faults,
    FaultServer,
    Rejection,
    Stall,
    Turn,
)
from tickertape.wires.native import encode

TERM_S = 0.3
ANSWER = Answer(
    text=("One", " two 🙂", " three", ' "four"', " five"),
    reasoning=("Let me", " think"),
    prompt_filter_results=None,
)
TEXT = 'One two 🙂 three "four" five'


def stalled(after_chunks) -> Turn:
    return Turn(answer=ANSWER, faults=Faults(failure=Stall(after_chunks=after_chunks)))


def turn(failure=None) -> Turn:
    return Turn(answer=ANSWER, faults=Faults(failure=failure))


class Machine:
    """One process's own connection to the provider, and its engine."""

    def __init__(self, engine, provider, transport) -> None:
        self.engine = engine
        self.provider = provider
        self.transport = transport

    async def start(self, request_):
        return (await self.engine.start([Route(self.provider, "m")], request_)).run_id


@pytest.fixture
async def log():
    return MemoryLog()


@pytest.fixture
async def machines(log):
    """Return what starts a machine that asks a server."""
    opened = []
    async with processes_over(log) as processes:

        async def start(server, **settings):
            transport = HttpTransport()
            await transport.__aenter__()
            provider = OpenAIProvider(
                transport,
                base_url=server.openai_base_url,
                api_key=server.api_key,
                api="responses",
                background=True,
            )
            catalog = Catalog({"openai": provider}, default="openai")
            engine = await processes.start(
                **{"lease_term_s": TERM_S, "route_for": catalog.route_for, **settings}
            )
            opened.append(Machine(engine, provider, transport))
            return opened[-1]

        start.processes = processes
        yield start
    for machine in opened:
        await machine.provider.close()
        await machine.transport.__aexit__(None, None, None)


async def stored(machine, run_id, *, epoch=1, kind=Event):
    """Wait until the machine's writer has stored an event of this kind, after the run's start."""
    async with asyncio.timeout(10), await machine.engine.tail(run_id, after=0) as tail:
        while True:
            for record in await tail.next():
                if record.epoch == epoch and isinstance(record.event, kind):
                    return


def asked(server):
    return [f"{each.method} {each.path}" for each in server.requests]


@pytest.mark.parametrize("after_chunks", [1, 3, 6, 7, 10, 13, 15, 17, 19, 20])
async def test_p1_a_run_goes_on_where_its_process_died(machines, log, request_, after_chunks):
    """Text, reasoning, usage and end are the provider's, whatever had come by then."""
    async with FaultServer(stalled(after_chunks), turn()) as server:
        first, second = [await machines(server) for _ in range(2)]
        run_id = await first.start(request_)
        await (await server.next_exchange()).stalled()
        await stored(first, run_id)
        await machines.processes.kill(first.engine)
        records = await read_to_end(second.engine, run_id)
        state = (await second.engine.snapshot(run_id)).state
    assert ["POST /v1/responses", "GET /v1/responses/resp_00000001"] == asked(server)
    assert TEXT == text_of(records)
    assert (TEXT, "Let me think") == (state.text, state.choices[0].reasoning)
    ended = records[-1].event
    assert ("completed", "stop", len(TEXT)) == (ended.outcome, ended.finish_reason, ended.length)
    assert isinstance(ended.usage, Usage)
    assert 2 == records[-1].epoch
    assert 1 == sum(isinstance(record.event, RunEnded) for record in records)


async def test_p1_a_run_outlives_one_process_after_another(machines, log, request_):
    """Each goes on where the one before it died."""
    async with FaultServer(*[stalled(at) for at in (6, 13, 15)], turn()) as server:
        alive = [await machines(server) for _ in range(4)]
        run_id = await alive[0].start(request_)
        for epoch in (1, 2, 3):
            await (await server.next_exchange()).stalled()
            await stored(alive[-1], run_id, epoch=epoch)
            (dying,) = [machine for machine in alive if machine.engine.running_runs]
            alive.remove(dying)
            await machines.processes.kill(dying.engine)
        records = await read_to_end(alive[0].engine, run_id)
    assert TEXT == text_of(records)
    assert ("completed", 4) == (records[-1].event.outcome, records[-1].epoch)


async def test_p10_readers_do_not_see_where_an_answer_is_stored(machines, log, request_):
    """The name is the provider's, for writers only; a batch with nothing else has no block."""
    async with FaultServer(turn()) as server:
        machine = await machines(server)
        run_id = await machine.start(request_)
        records = await read_to_end(machine.engine, run_id)
    assert AnswerStored(provider="openai", model="m", response_id="resp_00000001") in [
        record.event for record in records
    ]
    assert b"resp_" not in encode(records)


async def test_p4_a_cancel_reaches_the_provider_though_the_process_died(machines, log, request_):
    """Nobody reads the answer on: the provider is told to stop."""
    async with FaultServer(stalled(13), turn()) as server:
        first, second = [await machines(server) for _ in range(2)]
        run_id = await first.start(request_)
        await (await server.next_exchange()).stalled()
        await stored(first, run_id, kind=TextDelta)
        await machines.processes.kill(first.engine)
        ended = (await second.engine.cancel(run_id)).state.ended
        await second.provider.close()
    assert ("cancelled", "user") == (ended.outcome, ended.cancelled_by)
    assert ["POST /v1/responses", "POST /v1/responses/resp_00000001/cancel"] == asked(server)


async def test_p1_a_fenced_process_leaves_the_answer_to_the_other(machines, log, request_):
    """It closes its connection, and does not cancel what another process reads now."""
    async with FaultServer(stalled(13), stalled(15)) as server:
        first, second = [await machines(server) for _ in range(2)]
        run_id = await first.start(request_)
        exchange = await server.next_exchange()
        await exchange.stalled()
        await stored(first, run_id, kind=TextDelta)
        await freeze(first.engine)
        again = await server.next_exchange()
        await again.stalled()
        thaw(first.engine)
        await exchange.hung_up()
        again.resume()
        records = await read_to_end(second.engine, run_id)
    assert (TEXT, "completed") == (text_of(records), records[-1].event.outcome)
    assert ["POST /v1/responses", "GET /v1/responses/resp_00000001"] == asked(server)


async def test_p2_an_answer_that_can_not_be_had_again_is_lost(machines, log, request_):
    """The text that came stays, with a truthful end."""
    async with FaultServer(stalled(13), turn(Rejection(status=404))) as server:
        first, second = [await machines(server) for _ in range(2)]
        run_id = await first.start(request_)
        await stored(first, run_id, kind=TextDelta)
        await machines.processes.kill(first.engine)
        records = await read_to_end(second.engine, run_id)
    assert ("failed", "producer_lost", len(text_of(records))) == (
        records[-1].event.outcome,
        records[-1].event.error.code,
        records[-1].event.length,
    )
    assert TEXT.startswith(text_of(records))


async def test_p1_another_answer_is_not_gone_on_with(machines, log, request_):
    """The log has a text that the provider's answer does not begin with."""
    async with FaultServer(stalled(13), stalled(15)) as server:
        first, second = [await machines(server) for _ in range(2)]
        run_id = await first.start(request_)
        await (await server.next_exchange()).stalled()
        await stored(first, run_id, kind=TextDelta)
        await machines.processes.kill(first.engine)
        kept = log._runs[run_id].records
        for at, record in enumerate(kept):
            if getattr(record.event, "text", "") and hasattr(record.event, "choice"):
                other = type(record.event)("Zzz", record.event.choice)
                kept[at] = type(record)(record.offset, other, record.epoch, record.appended_at)
        ended = await end_of(second.engine, run_id)
        await second.provider.close()
    assert "producer_lost" == ended.error.code
    assert "POST /v1/responses/resp_00000001/cancel" == asked(server)[-1]


async def test_p2_without_a_route_to_the_provider_the_run_is_ended(machines, log, request_):
    """A process that is configured otherwise can't go on, and says so."""
    async with FaultServer(stalled(13)) as server:
        first = await machines(server)
        other = await machines(server, route_for=lambda provider, model: None)
        run_id = await first.start(request_)
        await (await server.next_exchange()).stalled()
        await stored(first, run_id, kind=TextDelta)
        await machines.processes.kill(first.engine)
        assert "producer_lost" == (await end_of(other.engine, run_id)).error.code


async def test_the_name_is_stored_before_the_answer_begins(machines, log, request_):
    """A model that thinks in silence for minutes is gone on with, too."""
    async with FaultServer(stalled(2), turn()) as server:
        machine = await machines(server)
        run_id = await machine.start(request_)
        await stored(machine, run_id)
        _, record = (await log.read(run_id, after=-1)).records
        assert isinstance(record.event, AnswerStored)
