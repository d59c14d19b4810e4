"""The collector: one value at the end, callbacks on the way, nothing left behind."""

from __future__ import annotations

import pytest

from tickertape.client.chat import async_stream_chat, stream_chat
from tickertape.client.collector import StreamCollector
from tickertape.core.errors import InvalidRequest, RunFailed
from tickertape.testing.answers import Answer, ToolCall
from tickertape.testing.faults import EndOfFile, Faults, Rejection, Stall
from tickertape.testing.scenarios import Turn

MESSAGES = [{"role": "user", "content": "Hi"}]
HELLO = Answer(text=("Hel", "lo"))
"""Two pieces, which come as one where the network brings both at once."""


class Enough(Exception):
    """What a callback raises that wants no more."""


def refuse(_):
    raise Enough


@pytest.fixture
def collector():
    return StreamCollector()


def test_a_stream_becomes_one_response(collector, fault_server):
    """The text, its pieces and how it ended."""
    fault_server.play(HELLO)
    response = collector.collect(stream_chat(MESSAGES, "gpt"))
    assert response.total_chunks == len(response.chunks) > 0
    assert ("Hello", "Hello", "stop", 2, "completed", []) == (
        response.content,
        "".join(response.chunks),
        response.finish_reason,
        response.usage.output_tokens,
        response.outcome,
        response.attempts,
    )


def test_each_piece_is_called_back_once_in_order(collector, fault_server):
    """With the text alone, so that `print` will do."""
    fault_server.play(HELLO)
    pieces: list[str] = []
    response = collector.collect(stream_chat(MESSAGES), on_chunk=pieces.append)
    assert pieces == response.chunks
    assert "Hello" == "".join(pieces)


def test_pieces_are_called_back_as_they_come(collector, fault_server):
    """The first one while the model is still at the second."""
    fault_server.play(Turn(answer=HELLO, faults=Faults(failure=Stall(after_chunks=2))))
    pieces: list[str] = []

    def go_on(piece):
        pieces.append(piece)
        if len(pieces) == 1:
            exchange = fault_server.next_exchange().result()
            exchange.stalled().result()
            exchange.resume()

    assert "Hello" == collector.collect(stream_chat(MESSAGES), on_chunk=go_on).content
    assert ["Hel", "lo"] == pieces


def test_p2_a_stream_that_was_cut_raises(collector, fault_server):
    """What had come is on the error and in the stream's response; callbacks had it, too."""
    fault_server.play(Faults(failure=EndOfFile(after_chunks=3)))
    pieces: list[str] = []
    stream = stream_chat(MESSAGES)
    with pytest.raises(RunFailed, match="truncated") as caught:
        collector.collect(stream, on_chunk=pieces.append)
    assert "".join(pieces) == caught.value.partial_text == stream.response.content != ""
    assert "failed" == stream.response.outcome


def test_p4_a_callback_that_raises_closes_the_connection(collector, fault_server):
    """Its error rises, although somebody still holds the stream."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    stream = stream_chat(MESSAGES)
    with pytest.raises(Enough):
        collector.collect(stream, on_chunk=refuse)
    assert 3 == fault_server.next_exchange().result().hung_up().result()


def test_a_callback_may_cancel(collector, fault_server):
    """Then the response is returned, and says so."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    stream = stream_chat(MESSAGES)
    response = collector.collect(stream, on_chunk=lambda _: stream.cancel())
    assert "cancelled" == response.outcome
    assert response.content
    fault_server.next_exchange().result().hung_up().result()


def test_any_pieces_of_text_can_be_collected(collector):
    """How they ended nobody knows."""
    pieces: list[str] = []
    response = collector.collect(iter(["Hel", "", "lo"]), on_chunk=pieces.append)
    assert (["Hel", "lo"], ["Hel", "lo"]) == (pieces, response.chunks)
    assert (None, None, None) == (response.outcome, response.finish_reason, response.usage)


@pytest.mark.parametrize("fails", [False, True])
def test_a_generator_is_closed_when_it_is_left(collector, fails):
    """By a callback that raises, or at its end."""
    closed: list[bool] = []

    def generate():
        try:
            yield "Hel"
            yield "lo"
        finally:
            closed.append(True)

    generator = generate()
    try:
        collector.collect(generator, on_chunk=refuse if fails else None)
    except Enough:
        assert fails
    assert [True] == closed


@pytest.mark.parametrize("piece", [b"Hel", {"choices": []}, None])
def test_what_is_no_text_is_refused(collector, piece):
    """Another library's chunks, say; the message shows them and the way out."""
    with pytest.raises(InvalidRequest, match="not text.*stream_chat") as caught:
        collector.collect([piece])
    assert "stream" == caught.value.param


def test_one_collector_keeps_nothing(collector, fault_server):
    """Every call has a response of its own."""
    fault_server.play(HELLO)
    first, second = (collector.collect(stream_chat(MESSAGES)) for _ in range(2))
    assert first is not second
    assert "Hello" == first.content == second.content


def test_everything_else_is_in_the_response(collector, fault_server):
    """Thoughts, refusals and tool calls are no text, and not lost."""
    call = ToolCall(name="weather", arguments='{"city": "Rome"}')
    fault_server.play(
        Answer(text="Hello", reasoning="Let me see"),
        Answer(refusal="I won't."),
        Answer(text="", tool_calls=(call,)),
    )
    thoughtful, refused, called = (collector.collect(stream_chat(MESSAGES)) for _ in range(3))
    assert ("Hello", "Let me see") == (thoughtful.content, thoughtful.reasoning)
    assert ("", "I won't.") == (refused.content, refused.refusal)
    assert [("weather", '{"city": "Rome"}')] == [
        (each.name, each.arguments) for each in called.tool_calls
    ]
    assert "tool_calls" == called.finish_reason


def test_attempts_are_in_the_response(collector, fault_server):
    """When it took more than one."""
    limited = Faults(failure=Rejection(status=429, retry_after_ms=1))
    fault_server.play(Turn(faults=limited), Turn(answer=HELLO))
    response = collector.collect(stream_chat(MESSAGES))
    assert ["failed", "chosen"] == [attempt.result for attempt in response.attempts]
    assert "Hello" == response.content


def test_one_call_asks_calls_back_and_returns_the_text(collector, fault_server):
    """The settings are those of `stream_chat`."""
    fault_server.play(HELLO)
    tokens: list[str] = []
    responses: list[object] = []
    text = collector.stream_with_callback(
        messages=MESSAGES,
        deployment="gpt",
        on_token=tokens.append,
        on_complete=lambda response: responses.append((response.content, response.outcome)),
        max_tokens=5,
        seed=7,
    )
    assert ("Hello", "Hello") == (text, "".join(tokens))
    assert [("Hello", "completed")] == responses
    body = fault_server.requests[0].body
    assert ("gpt", 5, 7) == (body["model"], body["max_tokens"], body["seed"])


def test_p2_a_cut_answer_is_not_complete(collector, fault_server):
    """It raises; `on_complete` is for whole answers."""
    fault_server.play(Faults(failure=EndOfFile(after_chunks=3)))
    responses: list[object] = []
    with pytest.raises(RunFailed, match="truncated") as caught:
        collector.stream_with_callback(MESSAGES, on_complete=responses.append)
    assert responses == []
    assert caught.value.partial_text


def test_p4_a_token_callback_that_raises_stops_the_model(collector, fault_server):
    """And is not followed by the other one."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    responses: list[object] = []
    with pytest.raises(Enough):
        collector.stream_with_callback(MESSAGES, on_token=refuse, on_complete=responses.append)
    assert responses == []
    assert 3 == fault_server.next_exchange().result().hung_up().result()


def test_an_error_of_the_last_callback_rises(collector, fault_server):
    """What it was to do has not been done."""
    fault_server.play(HELLO)
    with pytest.raises(Enough):
        collector.stream_with_callback(MESSAGES, on_complete=refuse)


async def test_async_streams_are_collected_alike(collector, fault_server):
    """Functions and coroutine functions may be called back; each is done before the next piece."""
    fault_server.play(HELLO)
    pieces: list[str] = []

    async def note(piece):
        pieces.append(piece)

    for callback in (pieces.append, note, None):
        response = await collector.async_collect(async_stream_chat(MESSAGES), callback)
        assert ("Hello", "completed") == (response.content, response.outcome)
    assert "HelloHello" == "".join(pieces)


async def test_p4_async_callbacks_that_raise_close_the_connection(collector, catalog, provider):
    """While the stream is still held."""

    async def fail(_):
        raise Enough

    provider.stream.send("Hel")
    stream = async_stream_chat(MESSAGES, catalog=catalog)
    with pytest.raises(Enough):
        await collector.async_collect(stream, fail)
    assert provider.stream.is_closed


@pytest.mark.parametrize("fails", [False, True])
async def test_an_async_generator_is_closed_when_it_is_left(collector, fails):
    """As a sync one."""
    closed: list[bool] = []

    async def generate():
        try:
            yield "Hel"
            yield "lo"
        finally:
            closed.append(True)

    generator = generate()
    try:
        response = await collector.async_collect(generator, refuse if fails else None)
        assert ["Hel", "lo"] == response.chunks
    except Enough:
        assert fails
    assert [True] == closed


async def test_one_async_call_asks_and_calls_back(collector, catalog, provider):
    """With the catalog that is passed in."""
    provider.stream.send("Hel")
    provider.stream.finish("lo")
    tokens: list[str] = []
    responses: list[object] = []

    async def keep(response):
        responses.append(response.outcome)

    text = await collector.async_stream_with_callback(
        MESSAGES, "scripted/gpt", tokens.append, keep, catalog=catalog, seed=7
    )
    assert ("Hello", ["Hel", "lo"], ["completed"]) == (text, tokens, responses)
    assert ("gpt", 7) == (provider.requests[0].model, provider.requests[0].seed)
