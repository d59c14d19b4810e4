"""The unmodified `openai` package takes the server for the real thing."""

from typing import Any

import openai
import pytest

from tickertape.core.events import Usage
from tickertape.testing.fault_server import (
    API_VERSION,
    Answer,
    EndOfFile,
    Faults,
    FaultServer,
    Rejection,
    Reset,
    Stall,
    StreamError,
    ToolCall,
)

TEXT = "Grüße aus 東京 🙂, said the tape."
MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]
USAGE = Usage(input_tokens=3, output_tokens=4, total_tokens=7)


def openai_client(server):
    return openai.AsyncOpenAI(base_url=server.openai_base_url, api_key=server.api_key)


def azure_v1_client(server):
    return openai.AsyncOpenAI(base_url=server.azure_v1_base_url, api_key=server.api_key)


def azure_client(server):
    return openai.AsyncAzureOpenAI(
        azure_endpoint=server.azure_endpoint, api_key=server.api_key, api_version=API_VERSION
    )


def azure_client_with_base_url(server):
    return openai.AsyncAzureOpenAI(
        base_url=server.azure_v1_base_url, api_key=server.api_key, api_version=API_VERSION
    )


CLIENTS = [openai_client, azure_v1_client, azure_client, azure_client_with_base_url]


@pytest.fixture(params=CLIENTS, ids=lambda make: make.__name__)
async def client(request, server):
    async with request.param(server) as made:
        yield made


@pytest.fixture
async def server():
    async with FaultServer(Answer(text=TEXT, usage=USAGE)) as running:
        yield running


async def test_chat_is_streamed(client):
    """Text, finish reason, usage."""
    stream = await client.chat.completions.create(
        model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert TEXT == "".join(choice.delta.content or "" for choice in choices)
    assert "stop" == choices[-1].finish_reason
    assert (3, 4) == (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens)


async def test_chat_without_a_stream(client):
    """One body."""
    found = await client.chat.completions.create(model="m", messages=MESSAGES, n=2)
    assert [TEXT, TEXT] == [choice.message.content for choice in found.choices]


async def test_the_chat_helper_accumulates(client, server):
    """Its own state machine is content: tool calls, refusal, usage."""
    call = ToolCall(name="f", arguments='{"city":"東京","days":3}')
    server.play(Answer(text=TEXT, refusal="No.", tool_calls=(call,)))
    async with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        found = await stream.get_final_completion()
    message = found.choices[0].message
    assert (TEXT, "No.", "tool_calls") == (
        message.content,
        message.refusal,
        found.choices[0].finish_reason,
    )
    assert ("f", call.arguments) == (
        message.tool_calls[0].function.name,
        message.tool_calls[0].function.arguments,
    )


async def test_completions_are_streamed(client):
    """Text and finish reason."""
    stream = await client.completions.create(model="m", prompt="Hello", stream=True)
    choices = [chunk.choices[0] async for chunk in stream if chunk.choices]
    assert (TEXT, "stop") == ("".join(choice.text for choice in choices), choices[-1].finish_reason)


async def test_responses_are_streamed(client, server):
    """The helper finds its end."""
    server.play(Answer(text=TEXT, reasoning="Hm.", tool_calls=(ToolCall(name="f"),)))
    async with client.responses.stream(model="m", input="Hello") as stream:
        types = [event.type async for event in stream]
        found = await stream.get_final_response()
    assert ("response.created", "response.completed") == (types[0], types[-1])
    assert TEXT == found.output_text
    assert ["reasoning", "message", "function_call"] == [item.type for item in found.output]


async def test_responses_without_a_stream(client):
    """One object."""
    found = await client.responses.create(model="m", input="Hello")
    assert (TEXT, "completed", 7) == (found.output_text, found.status, found.usage.total_tokens)


async def test_a_background_response_is_resumed_and_cancelled(client):
    """Through the client's own calls."""
    stream = await client.responses.create(
        model="m", input="Hello", background=True, stream=True, store=True
    )
    events = [event async for event in stream]
    response_id = events[0].response.id
    rest = await client.responses.retrieve(response_id, stream=True, starting_after=4)
    assert [event.sequence_number for event in events[5:]] == [
        event.sequence_number async for event in rest
    ]
    assert TEXT == (await client.responses.retrieve(response_id)).output_text
    assert "completed" == (await client.responses.cancel(response_id)).status


async def test_the_models_are_listed(client):
    """Those that the scenario knows."""
    assert ["gpt-4o"] == [model.id async for model in client.models.list()]


async def test_azure_sends_its_annotations(server):
    """They survive in the client's models as extras."""
    async with azure_client(server) as client:
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        first, second, third, *_ = [chunk async for chunk in stream]
    assert [] == first.choices
    assert "prompt_filter_results" in first.model_extra
    assert {} == second.choices[0].model_extra["content_filter_results"]
    assert "hate" in third.choices[0].model_extra["content_filter_results"]


async def test_the_client_retries_what_is_rejected(client, server):
    """429 and 503, then success; the third request says so."""
    server.play(
        Faults(failure=Rejection(status=429, retry_after_ms=1)),
        Faults(failure=Rejection(status=503, retry_after_ms=1)),
        Answer(text=TEXT),
    )
    found = await client.chat.completions.create(model="m", messages=MESSAGES)
    assert TEXT == found.choices[0].message.content
    assert ["0", "1", "2"] == [
        request.headers["x-stainless-retry-count"] for request in server.requests
    ]


async def test_the_client_obeys_x_should_retry(client, server):
    """Not a second request."""
    server.play(Faults(failure=Rejection(status=429, should_retry=False)))
    with pytest.raises(openai.RateLimitError):
        await client.chat.completions.create(model="m", messages=MESSAGES)
    assert 1 == len(server.requests)


@pytest.mark.parametrize("shape", ["openai", "event_nested", "openrouter", "llama_cpp", "vllm"])
async def test_the_client_sees_an_error_inside_the_stream(server, shape):
    """With the message."""
    server.play(Faults(failure=StreamError(shape=shape, message="no luck")))
    async with openai_client(server) as client:
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError, match="no luck"):
            async for _ in stream:
                pass


async def test_the_client_sees_a_reset(server):
    """As a connection error, of its own."""
    server.play(Faults(failure=Reset(after_chunks=2)))
    async with openai_client(server) as client:
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIConnectionError):
            async for _ in stream:
                pass


async def test_the_client_takes_a_truncated_answer_for_a_whole_one(server):
    """The fault that this server is there to show: no error, and half of the text."""
    server.play(Faults(failure=EndOfFile(after_chunks=3)))
    async with openai_client(server) as client:
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        assert 3 == len([chunk async for chunk in stream])


async def test_closing_the_clients_stream_hangs_up(server):
    """The server knows after how many chunks."""
    server.play(Faults(failure=Stall(after_chunks=3)))
    async with openai_client(server) as client:
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        exchange = await server.next_exchange()
        assert 3 == await exchange.stalled()
        await stream.close()
        assert 3 == await exchange.hung_up()


@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_the_synchronous_client_works(kind):
    """Against a server in a thread."""
    with FaultServer.in_thread(Answer(text=TEXT)) as server:
        made = (
            openai.OpenAI(base_url=server.openai_base_url, api_key=server.api_key)
            if kind == "openai"
            else openai.AzureOpenAI(
                azure_endpoint=server.url, api_key=server.api_key, api_version=API_VERSION
            )
        )
        with made as client:
            chat = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chat if chunk.choices)
            assert TEXT == text
            assert TEXT == client.responses.create(model="m", input="Hello").output_text
            plain = client.completions.create(model="m", prompt="Hello", stream=True)
            text = "".join(chunk.choices[0].text for chunk in plain if chunk.choices)
            assert TEXT == text


@pytest.mark.parametrize("variables", ["azure_environment", "openai_environment"])
def test_the_environment_is_enough(monkeypatch, variables):
    """The variables are those that the clients read."""
    with FaultServer.in_thread(Answer(text=TEXT)) as server:
        for name, value in getattr(server, variables).items():
            monkeypatch.setenv(name, value)
        kind = openai.AzureOpenAI if variables == "azure_environment" else openai.OpenAI
        with kind() as client:
            found = client.chat.completions.create(model="m", messages=MESSAGES)
    assert TEXT == found.choices[0].message.content
