"""The fault server as one more provider."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.deadlines import Deadlines
from tickertape.core.events import RunStarted
from tickertape.core.request import ChatRequest, Message
from tickertape.engine.step import Step
from tickertape.providers.base import Route
from tickertape.testing.fault_catalog import ENTRIES
from tickertape.testing.fault_provider import open_fault_provider


async def at_once(_seconds):
    await asyncio.sleep(0)


async def state_of(model):
    async with open_fault_provider(sleep=at_once) as (provider, _):
        request = ChatRequest(messages=[Message(role="user", content="Hi")], model=model)
        started = RunStarted(run_id="r", model=model, provider=provider.name, created_at=0.0)
        step = Step([Route(provider, model)], request, started=started, deadlines=Deadlines())
        while await step.next():
            pass
        step.close()
        return step.state


async def test_it_has_an_answer_to_look_at():
    """With what a page has to show: a list, a table, code, a link."""
    state = await state_of("answer")
    text = state.choices[0].text
    assert "completed" == state.ended.outcome
    for expected in ("# The ticker tape", "1. Every", "| 1870 |", "```python", "](https://"):
        assert expected in text


@pytest.mark.parametrize(
    ("model", "code"), [("truncated", "truncated"), ("error-in-stream", "provider_failed")]
)
async def test_it_has_the_faults_of_the_catalog(model, code):
    """By their names."""
    assert code == (await state_of(model)).ended.error.code


async def test_what_it_shows_is_there():
    """No name of a fault is misspelt: the catalog would give a good answer for it."""
    async with open_fault_provider() as (provider, shown):
        assert "faults" == provider.name
        assert set(shown) <= {"answer", "long", *(entry.name for entry in ENTRIES)}
