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
from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.core.events import TextDelta
from tickertape.core.request import ChatRequest, CompletionRequest, Message
from tickertape.providers.base import StreamEnd
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import OpenAIProvider, end_policy_of
from tickertape.providers.translators.choice_stream import EndPolicy
from tickertape.testing.answers import Answer
from tickertape.testing.fault_server import FaultServer

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


@pytest.mark.parametrize(
    ("request_", "api", "path"),
    [
        (REQUEST, "chat_completions", "/v1/chat/completions"),
        (REQUEST, "responses", "/v1/responses"),
        (CompletionRequest(prompt="Once", model="m"), "chat_completions", "/v1/completions"),
        (CompletionRequest(prompt="Once", model="m"), "responses", "/v1/completions"),
    ],
)
async def test_the_kind_of_request_and_the_api_choose_the_path(transport, request_, api, path):
    """A chat goes where the provider is set to send it; a completion has one place only."""
    async with FaultServer(Answer(text="Hi there")) as server:
        provider = OpenAIProvider(
            transport, base_url=server.openai_base_url, api_key=server.api_key, api=api
        )
        stream = await provider.open(request_)
        events = []
        while stream.translator.end is None:
            data = await stream.read()
            events += stream.translator.feed(data) if data else stream.translator.close()
        stream.close()
        await provider.close()
        assert StreamEnd() == stream.translator.end
        assert "Hi there" == "".join(e.text for e in events if isinstance(e, TextDelta))
        assert [path] == [each.path for each in server.requests]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api": "chat"}, "api is 'chat'"),
        ({"background": True}, "only the Responses API has background mode"),
    ],
)
def test_settings_that_make_no_sense_are_told_at_once(settings, words):
    """Before any request, with the way out."""
    with pytest.raises(ConfigurationError, match=words):
        OpenAIProvider(HttpTransport(), **settings)


def test_the_description_tells_the_api():
    """The start-up line says what is out of the ordinary."""
    provider = OpenAIProvider(HttpTransport(), api="responses", background=True)
    assert provider.describe().endswith("without a key, Responses API in background mode")
    assert OpenAIProvider(HttpTransport(), api="responses").describe().endswith(", Responses API")


async def test_a_wrong_path_is_told_by_its_api(transport):
    """A 404 names the path that was tried."""
    async with ScriptedServer(answer(response("404 No", b"{}"))) as server:
        provider = OpenAIProvider(transport, base_url=server.url, api="responses")
        with pytest.raises(ProviderError, match="before /responses"):
            await provider.open(REQUEST)
