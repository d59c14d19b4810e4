"""Background responses: taken up again where they were cut, and stopped where nobody wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from tests.providers.scripted_server import (
    CHUNKED_HEAD,
    LAST_CHUNK,
    ScriptedServer,
    answer,
    chunk,
    response,
)
from tickertape.core.coalesce import coalesce
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ProviderError
from tickertape.core.events import RunStarted, TextDelta, UsageReported
from tickertape.core.request import ChatRequest, Message
from tickertape.core.retry import Backoff
from tickertape.engine.step import Step
from tickertape.providers.background_responses import BackgroundResponses
from tickertape.providers.base import Route, StreamEnd
from tickertape.providers.calls import CallPlan
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import OpenAIProvider
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

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")], model="m")
PLAN = CallPlan(api="responses", background=True)
ANSWER = Answer(text=("One", " two 🙂", " three", ' "four"', " five"), reasoning="Hm")
TEXT = 'One two 🙂 three "four" five'
GOOD = Turn(answer=ANSWER)


def broken(failure) -> Turn:
    return Turn(answer=ANSWER, faults=Faults(failure=failure))


@pytest.fixture
async def transport():
    async with HttpTransport() as transport:
        yield transport


class Sleeps:
    """A sleep that takes no time and is written down."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, wait_s: float) -> None:
        self.waits.append(wait_s)


def responses_of(transport, server, **settings) -> BackgroundResponses:
    key = server.api_key if isinstance(server, FaultServer) else "k"

    async def sign():
        return {"Authorization": f"Bearer {key}"}

    return BackgroundResponses(
        transport, **{"sign": sign, "sleep": Sleeps(), "fraction": lambda: 1.0, **settings}
    )


async def opened(responses, url):
    call = PLAN.call(REQUEST)
    return await responses.open(url, body=call.body, translator=call.translator)


async def received(stream):
    """Read as the engine does; return the events, and the end or what broke it."""
    translator = stream.translator
    events = []
    try:
        while translator.end is None:
            data = await stream.read()
            events += translator.feed(data) if data else translator.close()
    except ProviderError as error:
        return events, error
    finally:
        if translator.end == StreamEnd():
            stream.close()
    return events, translator.end


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def asked(server):
    return [f"{each.method} {each.path}" for each in server.requests]


def cancels(server):
    return [each.path for each in server.requests if each.path.endswith("/cancel")]


async def cancelled(server):
    """Wait for the cancel, and return its path."""
    while True:
        exchange = await server.next_exchange()
        if exchange.request.path.endswith("/cancel"):
            await exchange.ended()
            return exchange.request.path


async def body_length() -> int:
    async with FaultServer(GOOD) as server, HttpTransport() as transport:
        stream = await opened(
            responses_of(transport, server), f"{server.openai_base_url}/responses"
        )
        await received(stream)
        stream.close()
        return server.exchanges[0].bytes_sent


KINDS: dict[str, Callable[..., Reset | EndOfFile]] = {
    "reset": Reset,
    "end of file": EndOfFile,
    "end of file inside HTTP": partial(EndOfFile, ends_body=False),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_p1_a_connection_cut_anywhere_is_not_noticed(kind):
    """Cut after every 97 bytes: the events are those of a whole answer, each once."""
    length = await body_length()
    async with FaultServer(GOOD) as server, HttpTransport() as transport:
        responses = responses_of(transport, server)
        url = f"{server.openai_base_url}/responses"
        expected, end = await received(await opened(responses, url))
        assert TEXT == text_of(expected)
        assert StreamEnd() == end
        first_events = 1500  # so long are those before the first delta, at most
        for at in range(first_events, length, 97):
            server.play(broken(KINDS[kind](after_bytes=at)), GOOD)
            stream = await opened(responses, url)
            events, end = await received(stream)
            stream.close()

            assert coalesce(expected) == coalesce(events), at
            assert StreamEnd() == end
        await responses.close()
        assert [] == cancels(server)
        assert len(server.requests) > 2 * ((length - first_events) // 97)


@pytest.mark.parametrize("kind", KINDS)
async def test_p1_a_connection_cut_again_and_again_is_not_noticed(transport, kind):
    """Each connection brings some events and breaks; the numbers asked for go up."""
    # More than any one event has, so that each connection gets further.
    async with FaultServer(broken(KINDS[kind](after_bytes=2_500))) as server:
        responses = responses_of(transport, server, reattach=Backoff(max_retries=1))
        events, end = await received(await opened(responses, f"{server.openai_base_url}/responses"))
        assert TEXT == text_of(events)
        assert StreamEnd() == end
        assert 1 == sum(isinstance(event, UsageReported) for event in events)
        first, *others = server.requests
        assert {"background": True, "store": True, "stream": True}.items() <= first.body.items()
        numbers = [int(each.query["starting_after"]) for each in others]
        assert len(numbers) >= 2
        assert server.exchanges[0].chunks_sent - 1 == numbers[0]
        assert sorted(set(numbers)) == numbers
        assert {"true"} == {each.query["stream"] for each in others}
        assert {"/v1/responses/resp_00000001"} == {each.path for each in others}


async def test_a_provider_that_is_away_is_asked_again(transport):
    """Refusals that may pass are waited for, as long as the provider asks for."""
    busy = Turn(faults=Faults(failure=Rejection(status=503, retry_after_s=3.0)))
    down = Turn(faults=Faults(failure=Rejection(status=500)))
    async with FaultServer(broken(Reset(after_bytes=2_000)), busy, down, GOOD) as server:
        sleeps = Sleeps()
        responses = responses_of(transport, server, sleep=sleeps)
        events, end = await received(await opened(responses, f"{server.openai_base_url}/responses"))
        assert TEXT == text_of(events)
        assert StreamEnd() == end
    assert [0.25, 3.0, 1.0] == sleeps.waits


async def test_p5_it_gives_up_after_so_many_tries(transport):
    """The end is then truncated, and says why to operators."""
    busy = Turn(faults=Faults(failure=Rejection(status=503)))
    async with FaultServer(broken(EndOfFile(after_bytes=2_000)), busy) as server:
        sleeps = Sleeps()
        responses = responses_of(
            transport, server, sleep=sleeps, reattach=Backoff(first_s=0.1, max_retries=3)
        )
        stream = await opened(responses, f"{server.openai_base_url}/responses")
        _, error = await received(stream)
        assert isinstance(error, ProviderError)
        assert "truncated" == error.code
        assert error.is_retryable
        assert "503" in error.detail
        assert 3 == len(sleeps.waits)
        assert 4 == len(server.requests)
        with pytest.raises(ProviderError):
            await stream.read()
        assert 4 == len(server.requests)


async def test_p5_connections_that_bring_nothing_new_are_counted(transport):
    """A provider that accepts, says nothing new and hangs up is given up, too."""
    first = Turn(answer=ANSWER, faults=Faults(failure=EndOfFile(after_bytes=2_000)))
    empty = Turn(answer=ANSWER, faults=Faults(failure=EndOfFile(after_bytes=5)))
    async with FaultServer(first, empty) as server:
        responses = responses_of(transport, server, reattach=Backoff(max_retries=3))
        _, error = await received(await opened(responses, f"{server.openai_base_url}/responses"))
        assert isinstance(error, ProviderError)
        assert "truncated" == error.code
        assert 4 == len(server.requests)


async def test_a_refusal_that_is_final_ends_it_at_once(transport):
    """A response that is not there any more can't be waited for."""
    gone = Turn(faults=Faults(failure=Rejection(status=404)))
    async with FaultServer(broken(Reset(after_bytes=2_000)), gone) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.openai_base_url}/responses")
        _, error = await received(stream)
        assert isinstance(error, ProviderError)
        assert "truncated" == error.code
        with pytest.raises(ProviderError):
            await stream.read()
        assert 2 == len(server.requests)
        stream.close()
        await responses.close()
        assert ["/v1/responses/resp_00000001/cancel"] == cancels(server)


async def test_p4_closing_the_stream_cancels_the_response(transport):
    """Once, signed, and with nothing in it; the connection is closed at once."""
    async with FaultServer(broken(Stall(after_chunks=6))) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.openai_base_url}/responses")
        exchange = await server.next_exchange()
        assert 200 == stream.status
        assert "text/event-stream" in stream.headers["content-type"]
        await stream.read()
        await exchange.stalled()
        stream.close()
        stream.close()
        assert 6 == await exchange.hung_up()
        assert "/v1/responses/resp_00000001/cancel" == await cancelled(server)
        await responses.close()
        assert 1 == len(cancels(server))
        assert "POST" == server.requests[-1].method
        assert b"" == server.requests[-1].raw_body
        assert b"" == await stream.read()


async def test_p4_closing_ends_a_read_that_waits(transport):
    """The reader gets an end of file, not a new connection."""
    async with FaultServer(broken(Stall(after_chunks=6))) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.openai_base_url}/responses")
        exchange = await server.next_exchange()
        reading = asyncio.ensure_future(received(stream))
        await exchange.stalled()
        stream.close()
        _, end = await reading
        assert "truncated" == end.error.code
        await cancelled(server)
        await responses.close()
        assert 2 == len(server.requests)


async def test_p4_closing_ends_the_wait_for_another_connection(transport):
    """A stream that is between two connections ends as promptly."""
    is_waiting = asyncio.Event()

    async def sleep_for_ever(_wait_s):
        is_waiting.set()
        await asyncio.Event().wait()

    async with FaultServer(broken(Reset(after_bytes=2_000))) as server:
        responses = responses_of(transport, server, sleep=sleep_for_ever)
        stream = await opened(responses, f"{server.openai_base_url}/responses")
        reading = asyncio.ensure_future(received(stream))
        await is_waiting.wait()
        stream.close()
        _, end = await reading
        assert "truncated" == end.error.code
        await cancelled(server)
        await responses.close()


async def test_p4_closing_ends_the_opening_of_another_connection(transport):
    """The same where the provider was asked and has not answered yet."""
    async with FaultServer(broken(Reset(after_bytes=2_000)), broken(Stall())) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.openai_base_url}/responses")
        reading = asyncio.ensure_future(received(stream))
        await server.next_exchange()
        again = await server.next_exchange()
        await again.stalled()
        stream.close()
        _, end = await reading
        assert "truncated" == end.error.code
        await again.hung_up()
        await cancelled(server)
        await responses.close()


async def test_a_close_after_the_end_cancels_nothing(transport):
    """What is over is left alone."""
    async with FaultServer(GOOD) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.openai_base_url}/responses")
        _, end = await received(stream)
        assert StreamEnd() == end
        assert b"" == await stream.read()
        stream.close()
        await responses.close()
        assert ["POST /v1/responses"] == asked(server)


async def test_what_follows_the_end_is_read_and_leads_nowhere(transport):
    """After the response's last event, an end of file is no reason to connect again."""
    ending = b'data: {"type":"response.completed","response":{"id":"resp_1"}}\n\n'
    async with ScriptedServer(
        answer(CHUNKED_HEAD + chunk(CREATED) + chunk(ending) + LAST_CHUNK)
    ) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.url}/responses")
        while stream.translator.end is None:
            stream.translator.feed(await stream.read())
        while await stream.read():
            pass
        stream.close()
        await responses.close()
        assert 1 == len(server.requests)


async def test_p4_who_leaves_while_it_is_started_leaves_nothing_running(transport):
    """The response is cancelled as soon as the provider tells its name."""
    async with FaultServer(broken(Stall(after_chunks=0))) as server:
        responses = responses_of(transport, server)
        url = f"{server.openai_base_url}/responses"
        opening = asyncio.ensure_future(opened(responses, url))
        exchange = await server.next_exchange()
        await exchange.stalled()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        exchange.resume()
        assert "/v1/responses/resp_00000001/cancel" == await cancelled(server)
        await responses.close()


async def test_p4_closing_them_all_stops_what_still_goes_on(transport):
    """At shutdown the open streams are closed, and their cancels are waited for."""
    async with FaultServer(broken(Stall(after_chunks=6))) as server:
        responses = responses_of(transport, server)
        url = f"{server.openai_base_url}/responses"
        streams = [await opened(responses, url) for _ in range(3)]
        await responses.close()
        assert 3 == len(cancels(server))
        assert all(stream.is_closed for stream in streams)


async def test_p4_a_loop_that_ends_cancels_its_tasks_but_not_the_cancel(transport):
    """What ends a loop cancels all of its tasks first; closing does then what they had to."""
    async with FaultServer(broken(Stall(after_chunks=6))) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.openai_base_url}/responses")
        stream.close()
        others = set(responses._tasks)
        assert others
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        assert [] == cancels(server)
        await responses.close()
        assert 1 == len(cancels(server))


CREATED = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,'
    b'"response":{"id":"resp_1","status":"in_progress"}}\n\n'
)


async def test_a_cancel_that_fails_is_sent_again(transport):
    """A provider that is busy is asked again to stop; then all is well."""
    async with ScriptedServer(
        answer(CHUNKED_HEAD + chunk(CREATED) + LAST_CHUNK),
        answer(response("503 Busy", b"", "Retry-After: 2", "Connection: close")),
        answer(response("200 OK", b"{}", "Connection: close")),
    ) as server:
        sleeps = Sleeps()
        responses = responses_of(transport, server, sleep=sleeps)
        (await opened(responses, f"{server.url}/responses?api-version=1")).close()
        await responses.close()
        line = "POST /responses/resp_1/cancel?api-version=1 HTTP/1.1"
        assert [line, line] == [request.line for request in server.requests[1:]]
    assert [2.0] == sleeps.waits


async def test_a_name_is_no_path(transport):
    """Whatever a response is called, what is asked for is below the URL that it came from."""
    odd = CREATED.replace(b"resp_1", b"../a?b=c")
    async with ScriptedServer(
        answer(CHUNKED_HEAD + chunk(odd) + LAST_CHUNK),
        answer(response("200 OK", b"{}", "Connection: close")),
    ) as server:
        responses = responses_of(transport, server)
        (await opened(responses, f"{server.url}/responses")).close()
        await responses.close()
        assert "POST /responses/..%2Fa%3Fb%3Dc/cancel HTTP/1.1" == server.requests[1].line


async def test_a_cancel_that_is_refused_is_told_to_operators(transport, caplog):
    """It does not raise: whoever closed the stream is gone."""
    async with ScriptedServer(
        answer(CHUNKED_HEAD + chunk(CREATED) + LAST_CHUNK),
        answer(response("404 No", b"{}", "Connection: close")),
    ) as server:
        responses = responses_of(transport, server)
        (await opened(responses, f"{server.url}/responses")).close()
        await responses.close()
        assert 2 == len(server.requests)
    assert "could not be cancelled" in caplog.text


@pytest.mark.parametrize(
    ("body", "cancels_sent"),
    [(b"", 0), (b'data: {"type":"response.created","response":{"id":"resp_1"}}\n\n', 1)],
    ids=["nothing at all", "no numbers"],
)
async def test_what_has_no_numbers_can_only_be_cut(transport, body, cancels_sent):
    """Nobody could say where to go on; where there is a name, it can be cancelled all the same."""
    first = CHUNKED_HEAD + (chunk(body) if body else b"") + LAST_CHUNK
    async with ScriptedServer(
        answer(first), answer(response("200 OK", b"{}", "Connection: close"))
    ) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.url}/responses")
        _, end = await received(stream)
        assert "truncated" == end.error.code
        stream.close()
        await responses.close()
        lines = [request.line for request in server.requests[1:]]
        assert ["POST /responses/resp_1/cancel HTTP/1.1"] * cancels_sent == lines


async def test_p4_who_leaves_while_it_is_started_leaves_no_connection(transport):
    """The connection that nobody reads any more is closed before the cancel."""
    has_left, is_closed = asyncio.Event(), asyncio.Event()

    async def start(exchange):
        await exchange.request()
        await exchange.send(CHUNKED_HEAD)
        await has_left.wait()
        await exchange.send(chunk(CREATED))
        await exchange.closed_by_client()
        is_closed.set()

    async with ScriptedServer(
        start, answer(response("200 OK", b"{}", "Connection: close"))
    ) as server:
        responses = responses_of(transport, server)
        opening = asyncio.ensure_future(opened(responses, f"{server.url}/responses"))
        while not server.requests:
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        has_left.set()
        await responses.close()
        assert "POST /responses/resp_1/cancel HTTP/1.1" == server.requests[1].line
        await is_closed.wait()


async def test_a_server_without_background_mode_is_read_as_usual(transport):
    """Without an id or a number there is nothing to go on from, and nothing to cancel."""
    text = b'data: {"type":"response.output_text.delta","delta":"a"}\n\n'
    async with ScriptedServer(answer(CHUNKED_HEAD + chunk(text) + LAST_CHUNK)) as server:
        responses = responses_of(transport, server)
        stream = await opened(responses, f"{server.url}/responses")
        events, end = await received(stream)
        stream.close()
        await responses.close()
        assert [TextDelta("a")] == events
        assert "truncated" == end.error.code
        assert 1 == len(server.requests)


async def test_each_request_is_signed_anew(transport):
    """Tokens expire while a response goes on."""
    signed: list[str] = []

    async def sign():
        signed.append(f"Bearer t-{len(signed)}")
        return {"Authorization": signed[-1]}

    async with FaultServer(broken(Reset(after_bytes=2_500)), api_key=None) as server:
        responses = responses_of(transport, server, sign=sign)
        await received(await opened(responses, f"{server.openai_base_url}/responses"))
        assert signed == [each.headers["authorization"] for each in server.requests]
        assert len(signed) >= 3


@pytest.mark.parametrize("stop", ["user", "shutdown", "deadline"])
async def test_p4_whatever_stops_a_run_stops_the_response(transport, stop):
    """A user's cancel, a shutdown and a deadline reach the provider."""
    async with FaultServer(broken(Stall(after_chunks=6))) as server:
        provider = OpenAIProvider(
            transport,
            base_url=server.openai_base_url,
            api_key=server.api_key,
            api="responses",
            background=True,
        )
        limit_s = 0.01 if stop == "deadline" else 60.0
        step = Step(
            [Route(provider, "m")],
            REQUEST,
            started=RunStarted(run_id="r", model="m", provider="openai", created_at=0.0),
            deadlines=Deadlines(first_progress_timeout_s=limit_s, stall_timeout_s=limit_s),
        )
        exchange_reached = server.next_exchange()
        running = asyncio.ensure_future(all_of(step))
        await (await exchange_reached).stalled()
        if stop != "deadline":
            step.cancel(stop)
        ended = await running
        step.close()
        assert ("failed" if stop == "deadline" else "cancelled") == ended.outcome
        await cancelled(server)
        await provider.close()
        assert 1 == len(cancels(server))


async def all_of(step):
    while step.state.ended is None:
        await step.next()
    return step.state.ended
