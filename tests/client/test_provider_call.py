"""A question to a model: opened once, its start shown first, closed in every case."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.client.catalogs import lend
from tickertape.client.provider_call import ask, request_of
from tickertape.core.errors import ConfigurationError, InvalidRequest
from tickertape.core.events import RunEnded, RunStarted, TextDelta
from tickertape.core.request import ChatRequest, CompletionRequest, Message

CHAT = ChatRequest(messages=[Message(role="user", content="Hi")])
COMPLETION = CompletionRequest(prompt="Once upon")


@pytest.fixture(params=[CHAT, COMPLETION], ids=["chat", "completion"])
def opened(request, catalog):
    """A generator that yields the one source."""
    return ask(request.param, deadlines=None, lend_catalog=lend(catalog))()


async def test_the_first_batch_begins_with_the_start(opened, provider):
    """Then comes what the provider sends, the end last."""
    provider.stream.finish("Hello")
    source = await anext(opened)
    events = [*await source.next()]
    assert isinstance(events[0], RunStarted)
    assert TextDelta("Hello") in events
    assert isinstance(events[-1], RunEnded)
    await opened.aclose()


async def test_nothing_is_sent_before_it_is_read(opened, provider):
    """Opening only finds out who would answer."""
    await anext(opened)
    await opened.aclose()
    assert provider.requests == []


async def test_closing_closes_the_connection(opened, provider):
    """Whatever had come."""
    provider.stream.send("Hel")
    await (await anext(opened)).next()
    await opened.aclose()
    assert provider.stream.is_closed


async def test_a_whole_answers_connection_is_read_to_its_end(opened, provider, monkeypatch):
    """Only then can it be used again: the end of the body may come after that of the answer."""
    stream, read = provider.stream, provider.stream.read
    reads = []

    async def note():
        chunk = await read()
        reads.append((chunk, stream.is_closed))
        return chunk

    monkeypatch.setattr(stream, "read", note)
    stream.finish("Hello")
    stream.end_of_file()
    await (await anext(opened)).next()
    assert [(b".", False)] == reads
    await opened.aclose()
    assert [(b".", False), (b"", False)] == reads
    assert stream.is_closed


async def test_closing_ends_what_is_being_opened(opened, provider):
    """No task is left, although the provider has not answered yet."""
    provider.may_open.clear()
    source = await anext(opened)
    waiting = asyncio.ensure_future(source.next())
    while not provider.requests:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await opened.aclose()
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_cancelling_ends_with_an_end(opened, provider):
    """As every step does."""
    source = await anext(opened)
    source.cancel("user")
    assert "cancelled" == (await source.next())[-1].outcome
    await opened.aclose()


async def test_a_model_that_is_not_there_is_an_error_of_opening(catalog):
    """With the catalog's own words."""
    request = ChatRequest(messages=CHAT.messages, model="azure/gpt")
    opened = ask(request, deadlines=None, lend_catalog=lend(catalog))()
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_ENDPOINT"):
        await anext(opened)


def test_a_request_is_made_of_what_is_not_none():
    """So that the provider's own default holds for the rest."""
    assert COMPLETION == request_of(CompletionRequest, prompt="Once upon", seed=None)


def test_a_wrong_field_is_named():
    """In the caller's notation."""
    with pytest.raises(InvalidRequest, match="seed") as caught:
        request_of(CompletionRequest, prompt="Once upon", seed="x")
    assert "seed" == caught.value.param
