"""Chat for scripts: the request they make, and who answers it."""

from __future__ import annotations

import inspect

import pytest

from tickertape.client.chat import ChatSettings, async_stream_chat, make_request, stream_chat
from tickertape.core.attempts import NO_RETRIES
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ConfigurationError, InvalidRequest, ProviderError, RunFailed
from tickertape.core.events import RunStarted
from tickertape.core.request import ChatRequest, Message
from tickertape.testing.answers import Answer

MESSAGES = [{"role": "user", "content": "Hi"}]


def test_messages_may_be_dictionaries_or_values():
    """Both in one list are fine."""
    request = make_request([*MESSAGES, Message(role="assistant", content="Ho")])
    assert ["user", "assistant"] == [message.role for message in request.messages]


def test_a_setting_that_is_none_is_left_out():
    """So that the provider's own default holds."""
    assert ChatRequest(messages=[Message(role="user", content="Hi")]) == make_request(
        MESSAGES, None, max_tokens=None, temperature=None, stop=None
    )


@pytest.mark.parametrize(
    ("messages", "settings", "param"),
    [
        ([], {}, "messages"),
        ("Hi", {}, "messages"),
        ([{"role": "robot", "content": "Hi"}], {}, "messages[0].role"),
        ([{"content": "Hi"}], {}, "messages[0].role"),
        ([*MESSAGES, {"role": "user", "content": 3}], {}, "messages[1].content"),
        ([{"role": "user", "text": "Hi"}], {}, "messages[0].text"),
        (MESSAGES, {"max_tokens": "many"}, "max_tokens"),
        (MESSAGES, {"temprature": 1}, "temprature"),
        (MESSAGES, {"stop": [1]}, "stop[0]"),
    ],
)
@pytest.mark.parametrize("function", [stream_chat, async_stream_chat])
def test_wrong_input_is_refused_at_once_by_name(function, messages, settings, param):
    """Before anything is read or sent, with the field in the message."""
    with pytest.raises(InvalidRequest) as caught:
        function(messages, **settings)
    assert param == caught.value.param
    assert param in str(caught.value)


def test_every_setting_of_a_request_can_be_given():
    """What the functions take is what a request has."""
    named = {"messages", "model", "max_tokens", "temperature"}
    assert set(ChatRequest.__struct_fields__) - named == set(ChatSettings.__annotations__)


@pytest.mark.parametrize("function", [stream_chat, async_stream_chat])
def test_the_public_parameters_stay(function):
    """Two by position, the others by name."""
    parameters = list(inspect.signature(function).parameters.values())
    assert ["messages", "deployment"] == [
        parameter.name
        for parameter in parameters
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert {"max_tokens", "temperature", "deadlines", "retry"} <= {
        parameter.name
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


async def test_the_request_reaches_the_provider_under_its_own_name(catalog, provider):
    """A qualified name is for the catalog; the provider gets what is after the slash."""
    provider.stream.finish("Hello")
    stream = async_stream_chat(MESSAGES, "scripted/gpt", catalog=catalog, seed=7)
    assert ["Hello"] == [text async for text in stream]
    assert ("gpt", 7) == (provider.requests[0].model, provider.requests[0].seed)


async def test_events_begin_with_the_start(catalog, provider):
    """Who answers, and with which model."""
    provider.stream.finish("Hello")
    events = async_stream_chat(MESSAGES, catalog=catalog).events()
    started = await anext(events)
    assert isinstance(started, RunStarted)
    assert ("scripted", "m") == (started.provider, started.model)
    await events.aclose()


async def test_the_providers_own_words_are_on_the_error(catalog, provider):
    """Whoever runs a script is its operator."""
    provider.refusal = ProviderError("rate_limited", "too many requests", detail="quota of x")
    with pytest.raises(RunFailed, match=r"rate_limited: too many requests \(quota of x\)"):
        await anext(async_stream_chat(MESSAGES, catalog=catalog))


@pytest.mark.virtual_time
async def test_p5_deadlines_are_a_parameter(catalog, provider):
    """A model that falls silent fails the run, with the text before that on the error."""
    provider.stream.send("Hel")
    stream = async_stream_chat(MESSAGES, catalog=catalog, deadlines=Deadlines(stall_timeout_s=5))
    with pytest.raises(RunFailed, match="stalled.* 5 s") as caught:
        async for _ in stream:
            pass
    assert caught.value.partial_text == "Hel"


async def test_retries_are_a_parameter(catalog, provider):
    """A script that would rather fail than wait says so."""
    provider.refusal = ProviderError("provider_failed", "It failed.", is_retryable=True)
    with pytest.raises(RunFailed):
        async for _ in async_stream_chat(MESSAGES, retry=NO_RETRIES, catalog=catalog):
            pass
    assert 1 == len(provider.requests)


async def test_a_catalog_that_is_passed_in_stays_open(catalog, provider, monkeypatch):
    """It is its owner's."""
    closed = []

    async def close(self):
        closed.append(self)

    monkeypatch.setattr(type(catalog), "close", close)
    provider.stream.finish("Hello")
    assert ["Hello"] == [text async for text in async_stream_chat(MESSAGES, catalog=catalog)]
    assert closed == []


async def test_async_streams_use_what_the_environment_configures(fault_server):
    """Without a catalog each makes its own, and closes it."""
    fault_server.play(Answer(text="Hello"))
    assert "Hello" == "".join([text async for text in async_stream_chat(MESSAGES)])


def test_sync_streams_keep_their_connection(fault_server):
    """The second call needs no new one."""
    for _ in range(2):
        "".join(stream_chat(MESSAGES))
    assert 1 == len({exchange.connection for exchange in fault_server.exchanges})


def test_a_changed_environment_counts_at_once(fault_server, unconfigured):
    """In a notebook, the key is set after the first error said so."""
    unconfigured.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(RunFailed, match="OPENAI_API_KEY"):
        "".join(stream_chat(MESSAGES))
    unconfigured.setenv("OPENAI_API_KEY", fault_server.api_key)
    assert "".join(stream_chat(MESSAGES))


def test_a_model_that_is_not_configured_is_an_error_of_the_first_read(fault_server):
    """It tells the way out, and stays an error."""
    stream = stream_chat(MESSAGES, "azure/gpt-4o")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="AZURE_OPENAI_ENDPOINT"):
            next(stream)


@pytest.mark.model
def test_the_embedded_model_answers_scripts(unconfigured):
    """With nothing configured there is still an answer."""
    stream = stream_chat(MESSAGES, max_tokens=4)
    assert "".join(stream)
    assert "local" == stream.response.state.started.provider
