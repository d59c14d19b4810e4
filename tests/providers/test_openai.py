"""OpenAI, and servers compatible with it."""

from __future__ import annotations

import pytest

from tests.providers.scripted_server import (
    CHUNKED_HEAD,
    LAST_CHUNK,
    ScriptedServer,
    answer,
    chunk,
    response,
)
from tickertape.core.errors import ConfigurationError, InvalidRequest, ProviderError
from tickertape.core.events import TextDelta
from tickertape.core.request import ChatRequest, Message
from tickertape.providers.choice_stream import EndPolicy
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import OpenAIProvider, encode_chat, end_policy_of

HELLO = [Message(role="user", content="Hello")]
REQUEST = ChatRequest(messages=HELLO, model="gpt-4o")
TEXT = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
)
DONE = b"data: [DONE]\n\n"


@pytest.fixture
async def transport():
    async with HttpTransport() as transport:
        yield transport


async def test_an_answer_becomes_events(transport):
    """A provider's stream gives bytes, and its translator the text in them."""
    async with ScriptedServer(answer(CHUNKED_HEAD + chunk(TEXT + DONE) + LAST_CHUNK)) as server:
        provider = OpenAIProvider(transport, base_url=f"{server.url}/v1/", api_key="sk-1\n")
        stream = await provider.open(REQUEST)
        events = stream.translator.feed(await stream.read())
        stream.close()
        assert TextDelta("Hi") in events
        assert stream.translator.end is not None
        assert stream.translator.end.error is None
        request = server.requests[0]
    assert request.line == "POST /v1/chat/completions HTTP/1.1"
    assert request.headers["authorization"] == "Bearer sk-1"
    assert request.json == {
        "messages": [{"role": "user", "content": "Hello"}],
        "model": "gpt-4o",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_a_compatible_server_may_want_no_key(transport):
    """Without a key there is no `Authorization`."""
    async with ScriptedServer(answer(CHUNKED_HEAD + LAST_CHUNK)) as server:
        stream = await OpenAIProvider(transport, base_url=server.url).open(REQUEST)
        stream.close()
        assert "authorization" not in server.requests[0].headers


async def test_who_pays_is_named(transport):
    """Organization and project go into their headers."""
    async with ScriptedServer(answer(CHUNKED_HEAD + LAST_CHUNK)) as server:
        provider = OpenAIProvider(
            transport, base_url=server.url, api_key="k", organization="org-1", project="p-1"
        )
        (await provider.open(REQUEST)).close()
        headers = server.requests[0].headers
    assert headers["openai-organization"] == "org-1"
    assert headers["openai-project"] == "p-1"


def test_only_what_the_caller_set_is_sent():
    """What is unset is left to the provider; usage can be left out."""
    from msgspec import json

    request = ChatRequest(messages=HELLO, model="m", temperature=0.0, stop=["a"], n=2)
    assert json.decode(
        encode_chat(request, include_usage=False, extra_fields={"x": 1, "n": 9})
    ) == {
        "messages": [{"role": "user", "content": "Hello"}],
        "model": "m",
        "temperature": 0.0,
        "stop": ["a"],
        "n": 2,
        "x": 1,
        "stream": True,
    }


def test_a_request_without_a_model_is_refused():
    """Nothing is sent where no model is named."""
    with pytest.raises(InvalidRequest) as caught:
        encode_chat(ChatRequest(messages=HELLO))
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("url", "policy"),
    [
        ("https://api.openai.com/v1", EndPolicy.FINISH_REASON),
        ("https://eu.api.openai.com/v1", EndPolicy.FINISH_REASON),
        ("https://me.openai.azure.com/openai/v1", EndPolicy.FINISH_REASON),
        ("https://api.openai.com.example/v1", EndPolicy.DONE_IS_ENOUGH),
        ("https://notapi.openai.com/v1", EndPolicy.DONE_IS_ENOUGH),
        ("http://127.0.0.1:8000/v1", EndPolicy.DONE_IS_ENOUGH),
    ],
)
def test_p2_an_end_is_judged_by_who_answers(url, policy):
    """Those who always send a finish reason are held to it."""
    assert policy == end_policy_of(url)


@pytest.mark.parametrize("choices", [1, 2])
async def test_p2_every_choice_must_end(transport, choices):
    """The request's `n` tells the translator how many finish reasons to expect."""
    finished = TEXT.replace(b'"finish_reason":null', b'"finish_reason":"stop"')
    async with ScriptedServer(answer(CHUNKED_HEAD + chunk(finished + DONE) + LAST_CHUNK)) as server:
        provider = OpenAIProvider(
            transport, base_url=server.url, end_policy=EndPolicy.FINISH_REASON
        )
        stream = await provider.open(ChatRequest(messages=HELLO, model="m", n=choices))
        stream.translator.feed(await stream.read())
        stream.translator.close()
        stream.close()
        assert stream.translator.end is not None
        assert (choices == 2) == (stream.translator.end.error is not None)


@pytest.mark.parametrize(
    ("status", "words"),
    [("401 No", "OPENAI_API_KEY"), ("404 No", "no model 'gpt-4o'"), ("400 No", "invalid")],
)
async def test_a_refusal_says_what_to_check(transport, status, words):
    """The message names the variable, or the model that was asked for."""
    async with ScriptedServer(
        answer(response(status, b'{"error":{"message":"theirs"}}'))
    ) as server:
        with pytest.raises(ProviderError, match=words) as caught:
            await OpenAIProvider(transport, base_url=server.url).open(REQUEST)
    assert caught.value.code == "provider_rejected"
    assert caught.value.status == int(status[:3])
    assert "theirs" in caught.value.detail


@pytest.mark.parametrize("key", ["", " ", "a\nb", "kéy", "a\x00"])
def test_p10_a_key_that_no_header_can_carry_is_not_shown(key):
    """A broken key is told at once, and by its variable's name only."""
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as caught:
        OpenAIProvider(HttpTransport(), api_key=key)
    assert not key.strip() or key not in str(caught.value)


def test_p10_the_description_shows_no_key():
    """The start-up line says that there is a key, not which."""
    line = OpenAIProvider(HttpTransport(), api_key="sk-secret").describe()
    assert line == "openai: https://api.openai.com/v1, with a key"
