"""Background responses, without a connection."""

import asyncio

import pytest

from tests.testing.fault_server.raw_client import ManualSleep
from tickertape.testing.fault_server import stored_responses
from tickertape.testing.fault_server.responses import numbered, response_frames
from tickertape.testing.fault_server.stored_responses import ResponseStore, StoredResponse


@pytest.fixture
def stored(call):
    asked = call(background=True)
    return StoredResponse(asked, response_frames(asked))


async def test_it_goes_on_at_its_own_pace(stored):
    """Until all is there; its status says how far it is."""
    sleep = ManualSleep()
    assert "queued" == stored.body["status"]
    task = asyncio.create_task(stored.produce(per_step=6, pace_s=0.5, sleep=sleep))
    assert await stored.has_produced(5)
    assert "in_progress" == stored.body["status"]
    reader = asyncio.ensure_future(stored.has_produced(6))
    sleep.tick()
    assert await reader
    await task
    assert (True, "completed", [0.5]) == (stored.is_over, stored.body["status"], sleep.asked)


async def test_cancelling_ends_it_for_its_readers(stored):
    """Also for those who wait; what was there stays."""
    sleep = ManualSleep()
    task = asyncio.create_task(stored.produce(per_step=3, pace_s=0.5, sleep=sleep))
    assert await stored.has_produced(2)
    reader = asyncio.ensure_future(stored.has_produced(3))
    await asyncio.sleep(0)
    stored.cancel()
    assert not await reader
    assert await stored.has_produced(2)
    assert "cancelled" == stored.body["status"]
    sleep.tick()
    await task
    assert "cancelled" == stored.body["status"]


async def test_cancelling_what_is_over_changes_nothing(stored):
    """It stays completed."""
    await stored.produce(per_step=1, pace_s=0, sleep=ManualSleep())
    stored.cancel()
    assert "completed" == stored.body["status"]


def test_what_comes_after_a_number_is_exclusive(stored):
    """Nothing gives all."""
    assert list(range(11)) == stored.after(None)
    assert list(range(5, 11)) == stored.after(4)
    assert [] == stored.after(10)


async def test_an_error_makes_it_failed(call):
    """When it has been produced."""
    asked = call(background=True)
    frames = [*response_frames(asked)[:3], numbered({"type": "error"}, 3, "error")]
    stored = StoredResponse(asked, frames)
    await stored.produce(per_step=4, pace_s=0, sleep=ManualSleep())
    assert "failed" == stored.body["status"]


def test_the_oldest_is_forgotten_first(stored, monkeypatch, call):
    """The store has a bound."""
    monkeypatch.setattr(stored_responses, "MAX_STORED", 1)
    store = ResponseStore()
    store.add(stored)
    assert stored is store.get("resp_1")
    other = StoredResponse(call(), [])
    other.id = "resp_2"
    store.add(other)
    assert (None, other) == (store.get("resp_1"), store.get("resp_2"))
