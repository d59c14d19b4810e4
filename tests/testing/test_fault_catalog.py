"""Faults with names."""

import msgspec
import pytest

from tests.testing.fault_server.raw_client import NoSleep, connected
from tickertape.testing.fault_catalog import ENTRIES, fault_catalog
from tickertape.testing.fault_server import FaultServer, Scenario
from tickertape.testing.faults import Stall


def test_names_are_unique():
    """Each is a model of its own."""
    assert len(ENTRIES) == len(fault_catalog().models)


def test_the_catalog_is_a_scenario_file_too():
    """What it has, a file can have."""
    data = msgspec.json.encode(fault_catalog())
    assert fault_catalog() == msgspec.json.decode(data, type=Scenario)


def stalls(entry):
    return isinstance(entry.turns[0].faults.failure, Stall)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
async def test_every_entry_does_something_of_its_own(entry):
    """No entry gives the bytes of a good answer, or the steps of one."""
    sleep = NoSleep()
    async with FaultServer(fault_catalog(), sleep=sleep, clock=lambda: 0.0) as server:
        good = await received(server, "good")
    async with FaultServer(fault_catalog(), sleep=sleep, clock=lambda: 0.0) as server:
        found = await received(server, entry.name)
    assert good != found.replace(f'"{entry.name}"'.encode(), b'"good"') or sleep.asked


async def received(server, model) -> bytes:
    """Return what a client gets, until the end or until the server falls silent."""
    async with connected(server) as client:
        client.ask(
            "/openai/v1/chat/completions",
            headers={"connection": "close"},
            model=model,
            stream_options={"include_usage": True},
        )
        exchange = await server.next_exchange()
        if model in {entry.name for entry in ENTRIES if stalls(entry)}:
            await exchange.stalled()
            return b"silence"
        try:
            return await client.read_to_end()
        except ConnectionResetError:
            return b"reset"
