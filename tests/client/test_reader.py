"""The reader: one run's text, whole and once, however often the connection breaks."""

from __future__ import annotations

import asyncio
import gc
import re
import threading

import msgspec
import pytest

from tests.client.wire_server import EVENTS, Reply, WireServer, after, records_of
from tests.vectors import by_name, to_bytes, vectors
from tickertape.client.http import ServerSession
from tickertape.client.reader import (
    Attempts,
    Reader,
    async_cancel_run,
    async_start_run,
    async_tail_run,
    cancel_run,
    start_run,
    tail_run,
)
from tickertape.client.text_stream import AsyncTextStream
from tickertape.core.cursor import Cursor
from tickertape.core.errors import (
    ConfigurationError,
    ConnectionLost,
    IdempotencyConflict,
    InvalidRequest,
    ProtocolError,
    RecordsLost,
    RunCancelled,
    RunFailed,
    RunTrimmed,
    TickertapeError,
    UnknownRun,
)
from tickertape.core.events import RunError
from tickertape.core.record import Record
from tickertape.core.request import ChatRequest, Message
from tickertape.core.retry import Backoff
from tickertape.core.sse import HEARTBEAT
from tickertape.wires.native import encode

AT_ONCE = Backoff(first_s=0, longest_s=0, max_retries=3)
REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])
RECORDS = records_of("Hel", "lo ", "naïve 東京 ", "🙂")
TEXT = "Hello naïve 東京 🙂"


def whole(request):
    """Answer with what the request wants, to the end."""
    return Reply(after(RECORDS, request))


def cut(at, *, ending="close"):
    """Answer with the first `at` bytes of what the request wants."""
    return lambda request: Reply(after(RECORDS, request)[:at], ending=ending)


def started(request):
    """Answer a start with the whole run."""
    return Reply(encode(RECORDS), headers={"Content-Type": EVENTS, "Location": "/chat/stream/r1"})


def refusal(status, code, **headers):
    """Refuse in the server's form."""
    body = {"error": {"code": code, "message": "the server's words", "param": None}}
    return Reply(msgspec.json.encode(body), status, {"Content-Type": "application/json", **headers})


def tail(server, **settings):
    return async_tail_run(server.url, "r1", backoff=AT_ONCE, **settings)


async def text_of(stream):
    return "".join([text async for text in stream])


async def test_a_tail_is_the_runs_text():
    """From the beginning, in order; the response says how it ended."""
    async with WireServer(whole) as server:
        stream = tail(server)
        assert TEXT == await text_of(stream)
        assert ("completed", "stop") == (stream.response.outcome, stream.response.finish_reason)
        assert ("GET", "/chat/stream/r1") == (server.requests[0].method, server.requests[0].path)


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_p1_any_cut_of_the_connection_loses_and_repeats_nothing(ending):
    """Wherever the first connection ends, the text is the run's."""
    end = encode(RECORDS).index(b"data: [DONE]")
    for at in range(0, end, 1 if ending == "close" else 7):
        async with WireServer(cut(at, ending=ending), whole) as server:
            assert TEXT == await text_of(tail(server)), at


async def test_p1_many_cuts_loses_and_repeats_nothing():
    """One block for each connection: as long as there is progress, it goes on."""
    blocks = [cut(len(encode([record]))) for record in RECORDS]
    async with WireServer(*blocks) as server:
        assert TEXT == await text_of(tail(server))
        cursors = [request.headers.get("last-event-id") for request in server.requests]
        assert [None, *[str(offset) for offset in range(len(RECORDS) - 1)]] == cursors


async def test_p1_a_record_that_comes_twice_counts_once():
    """A proxy may answer from a cache, and ignore the cursor."""
    async with WireServer(cut(200), Reply(encode(RECORDS))) as server:
        assert TEXT == await text_of(tail(server))


async def test_p1_missing_text_is_an_error():
    """The end says how long the text is."""
    records = records_of("Hel", "lo", length=6)
    async with WireServer(Reply(encode(records))) as server:
        stream = tail(server)
        with pytest.raises(ProtocolError, match="6 characters of text, but 5"):
            await text_of(stream)
        assert ("Hello", None) == (stream.response.content, stream.response.outcome)


async def test_p2_an_end_of_file_without_an_outcome_is_no_end():
    """The reader gives up in the end, and says how to go on."""
    first = Reply(encode(RECORDS[:3]))
    async with WireServer(first, *[Reply()] * 3) as server:
        stream = tail(server)
        with pytest.raises(ConnectionLost, match="gave up .* tail 'r1' after 2") as caught:
            await text_of(stream)
        lost = caught.value
        assert ("r1", Cursor(2), "Hello ") == (lost.run_id, lost.cursor, lost.partial_text)
        assert stream.response.outcome is None
        assert len(server.requests) == 4


async def test_p2_done_without_an_outcome_is_no_end():
    """`[DONE]` only says that the stream is closed."""
    without_end = encode(RECORDS[:3]) + b"data: [DONE]\n\n"
    async with WireServer(Reply(without_end), Reply(b"data: [DONE]\n\n"), whole) as server:
        assert TEXT == await text_of(tail(server))


async def test_heartbeats_are_no_progress():
    """A server that only says that it lives is given up in the end."""
    async with WireServer(*[Reply(HEARTBEAT)] * 4) as server:
        with pytest.raises(ConnectionLost):
            await text_of(tail(server))


async def test_a_failed_run_raises_what_the_server_says():
    """Code and safe message cross the wire; the text before stays."""
    error = RunError(code="stalled", message="The model fell silent.", is_retryable=True)
    records = records_of("Hel", outcome="failed", error=error)
    async with WireServer(Reply(encode(records))) as server:
        with pytest.raises(RunFailed, match="stalled: The model fell silent") as caught:
            await text_of(tail(server))
        assert (error, "Hel") == (caught.value.error, caught.value.partial_text)


async def test_a_run_that_somebody_cancelled_raises():
    """It is not whole."""
    records = records_of("Hel", outcome="cancelled", cancelled_by="user")
    async with WireServer(Reply(encode(records))) as server:
        with pytest.raises(RunCancelled, match="by user"):
            await text_of(tail(server))


async def test_a_tail_can_begin_in_the_middle():
    """Then its text can't be checked against the run's length, and is not."""
    async with WireServer(whole) as server:
        assert TEXT[3:] == await text_of(tail(server, after=1))
        assert server.requests[0].headers["last-event-id"] == "1"


def an_end(error):
    """Return the one word that a session's vector has for an error."""
    match error:
        case RunFailed():
            return error.error.code
        case RecordsLost():
            return "records_lost"
        case ProtocolError():
            return "protocol_error"
        case _:
            return type(error).__name__


@pytest.mark.parametrize("vector", vectors("sessions"), ids=by_name)
async def test_p1_a_session_gives_one_historys_text_and_says_how_it_ended(vector):
    """Whatever the server's log has lost, nothing of another history is ever handed out."""
    exchanges = vector["exchanges"]
    replies = [
        Reply(to_bytes(exchange["body"]), exchange.get("status", 200)) for exchange in exchanges
    ]
    async with WireServer(*replies) as server:
        stream = tail(server, after=vector.get("after", "-1"))
        try:
            text = await text_of(stream)
            end = stream.response.outcome
        except TickertapeError as error:
            text = getattr(error, "partial_text", stream.response.content)
            end = an_end(error)
        assert (vector["text"], vector["end"]) == (text, end)
        asked = [request.headers.get("last-event-id") for request in server.requests]
        assert [exchange["asks"] for exchange in exchanges] == asked


async def test_what_a_lost_connection_gives_can_be_passed_in_again():
    """As it is, or as its text, which keeps."""
    taken_over = [Record(each.offset, each.event, 2, 0.0) for each in RECORDS]
    async with WireServer(Reply(encode(taken_over[:3])), *[Reply()] * 3) as server:
        with pytest.raises(ConnectionLost, match="tail 'r1' after 2.2") as caught:
            await text_of(tail(server))
    for cursor in (caught.value.cursor, str(caught.value.cursor)):
        async with WireServer(Reply(encode(taken_over[3:]))) as server:
            assert TEXT[6:] == await text_of(tail(server, after=cursor))
            assert "2.2" == server.requests[0].headers["last-event-id"]


@pytest.mark.parametrize("after", [-2, "x", "1.0", ""])
async def test_a_place_to_begin_that_is_none_is_refused(after):
    """Before anything is sent."""
    async with WireServer() as server:
        with pytest.raises(InvalidRequest, match=re.escape(repr(after))):
            await text_of(tail(server, after=after))
        assert [] == server.requests


async def test_a_tail_after_the_end_still_learns_how_it_ended():
    """204 says that nothing follows; the last record is read once more for its outcome."""
    last = RECORDS[-1].offset
    async with WireServer(Reply(status=204, headers={}), whole) as server:
        stream = tail(server, after=last)
        assert "" == await text_of(stream)
        assert "completed" == stream.response.outcome


async def test_a_server_that_is_always_at_its_end_breaks_the_protocol():
    """It is not asked for ever."""
    gone = Reply(status=204, headers={})
    async with WireServer(gone, gone) as server:
        with pytest.raises(ProtocolError, match="no end"):
            await text_of(tail(server, after=5))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'id: x\ndata: {"content":"a"}\n\n', "'x'"),
        (b'data: {"content":"a"}\n\n', "no offset"),
        (b"id: 0\ndata: hello\n\n", "not a block"),
        (b'id: 0\ndata: {"content":"a"}\n\n', "TextDelta"),
        (encode(RECORDS[:1]) + encode(RECORDS[:1]).replace(b"id: 0", b"id: 1"), "RunStarted"),
        (encode(RECORDS[:1]) + b'id: 1\ndata: {"outcome":"failed","length":0}\n\n', "not a block"),
    ],
)
async def test_what_is_not_the_wire_is_an_error(body, words):
    """No retry mends it."""
    async with WireServer(Reply(body)) as server:
        with pytest.raises(ProtocolError, match=words):
            await text_of(tail(server))


async def test_text_before_a_broken_block_is_handed_out():
    """Also when both come in one read."""
    body = encode(RECORDS[:2]) + b"id: 2\ndata: hello\n\n"
    async with WireServer(Reply(body)) as server:
        stream = tail(server)
        assert "Hel" == await anext(stream)
        with pytest.raises(ProtocolError):
            await anext(stream)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(404, "unknown_run"), UnknownRun),
        (refusal(410, "run_trimmed"), RunTrimmed),
        (refusal(409, "records_lost"), RecordsLost),
        (refusal(400, "cursor_beyond_end"), InvalidRequest),
        (refusal(401, "refused"), ConfigurationError),
        (Reply(status=404, headers={}), ConfigurationError),
        (Reply(status=302, headers={"Location": "https://elsewhere/"}), ConfigurationError),
        (Reply(b"<html>", headers={"Content-Type": "text/html"}), ProtocolError),
    ],
)
async def test_a_refusal_for_good_is_not_tried_again(reply, error):
    """It is raised as what it means."""
    async with WireServer(reply) as server:
        with pytest.raises(error):
            await text_of(tail(server))
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_server_that_can_not_answer_now_is_asked_again(status):
    """A proxy in front of a server that restarts says so."""
    busy = Reply(status=status, headers={})
    async with WireServer(busy, busy, whole) as server:
        assert TEXT == await text_of(tail(server))


async def test_a_server_that_asks_for_a_long_wait_is_given_up():
    """The error has its words."""
    busy = refusal(503, "busy", **{"Retry-After": "3600"})
    async with WireServer(busy) as server:
        with pytest.raises(ConnectionLost, match="the server's words"):
            await text_of(tail(server))


async def test_a_server_that_is_not_there_is_given_up():
    """The address is in the message."""
    async with WireServer() as server:
        pass
    with pytest.raises(ConnectionLost, match=server.url):
        await text_of(tail(server))


async def test_leaving_early_stops_nothing():
    """The run is the server's: only the connection closes."""
    async with WireServer(Reply(encode(RECORDS[:2]), ending="hold")) as server:
        async with tail(server) as stream:
            assert "Hel" == await anext(stream)
        assert ["GET"] == server.methods


async def test_nothing_is_left_open_after_the_end():
    """Not even where the server keeps the connection; a warning would fail this test."""
    async with WireServer(Reply(encode(RECORDS), ending="hold")) as server:
        stream = tail(server)
        assert TEXT == await text_of(stream)
        del stream
        gc.collect()


async def test_closing_a_reader_closes_its_connection():
    """Though its session goes on."""
    async with (
        WireServer(Reply(encode(RECORDS), ending="hold")) as server,
        ServerSession(server.url) as session,
    ):
        reader = Reader(session, run_id="r1", attempts=Attempts(AT_ONCE))
        assert RECORDS[-1].event == (await reader.next())[-1]
        reader.close()
        await server.left.wait()


async def test_p4_cancel_reaches_the_server_and_waits_for_the_end():
    """Even while it is silent: the connection is left, the run cancelled, its end read."""
    ended = records_of("Hel", outcome="cancelled", cancelled_by="user")
    async with WireServer(
        Reply(encode(RECORDS[:2]), ending="hold"),
        Reply(b"{}", headers={}),
        lambda request: Reply(after(ended, request)),
    ) as server:
        # Leaving the connection is no failure of the server's: it needs no retry.
        stream = async_tail_run(server.url, "r1", backoff=Backoff(max_retries=0))
        assert "Hel" == await anext(stream)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        stream.cancel()
        assert await waiting is None
        assert ["GET", "DELETE", "GET"] == server.methods
        assert "cancelled" == stream.response.outcome


async def test_p4_cancel_is_sent_again_until_it_is_answered():
    """A lost answer to it is no answer."""
    ended = records_of("Hel", outcome="cancelled", cancelled_by="user")
    async with WireServer(None, None, Reply(b"{}", headers={}), Reply(encode(ended))) as server:
        stream = tail(server)
        stream.cancel()
        assert "Hel" == await text_of(stream)
        assert ["DELETE"] * 3 + ["GET"] == server.methods


async def test_cancel_gives_up_too():
    """A server that is gone is not asked for ever."""
    async with WireServer(*[None] * 4) as server:
        stream = tail(server)
        stream.cancel()
        with pytest.raises(ConnectionLost):
            await text_of(stream)


async def test_a_start_sends_the_request_and_reads_the_run():
    """Its text comes on the same connection."""
    async with WireServer(started) as server:
        stream = async_start_run(server.url, REQUEST, headers={"Authorization": "me"})
        assert TEXT == await text_of(stream)
        request = server.requests[0]
        assert ("POST", "/chat/stream") == (request.method, request.path)
        assert {"messages": [{"role": "user", "content": "Hi"}]} == msgspec.json.decode(
            request.body
        )
        assert ("application/json", "me") == (
            request.headers["content-type"],
            request.headers["authorization"],
        )


async def test_p7_a_lost_answer_starts_no_second_run():
    """The start is repeated with the same key until its run is known."""
    async with WireServer(None, Reply(), started) as server:
        # The second answer had a head without a location, and nothing else.
        stream = async_start_run(server.url, REQUEST, backoff=AT_ONCE)
        assert TEXT == await text_of(stream)
        assert ["POST"] * 3 == server.methods
        keys = {request.headers["idempotency-key"] for request in server.requests}
        assert 1 == len(keys)
        assert all(len(key) >= 20 for key in keys)


async def test_p7_each_start_has_a_key_of_its_own():
    """Unless the caller gives one."""
    async with WireServer(started, started, started) as server:
        for key in [None, None, "mine"]:
            await text_of(async_start_run(server.url, REQUEST, idempotency_key=key))
        first, second, third = [request.headers["idempotency-key"] for request in server.requests]
        assert first != second
        assert third == "mine"


async def test_a_started_run_is_resumed_by_its_id():
    """As soon as the head has told it."""
    headers = {"Content-Type": EVENTS, "Location": "/chat/stream/r1"}
    async with WireServer(Reply(headers=headers), cut(100), whole) as server:
        assert TEXT == await text_of(async_start_run(server.url, REQUEST, backoff=AT_ONCE))
        assert ["POST", "GET", "GET"] == server.methods


async def test_a_key_that_names_another_request_is_a_conflict():
    """It is the caller's mistake."""
    async with WireServer(refusal(409, "idempotency_conflict")) as server:
        with pytest.raises(IdempotencyConflict, match="the server's words"):
            await text_of(async_start_run(server.url, REQUEST, idempotency_key="k"))


async def test_a_start_that_is_cancelled_before_it_began_sends_nothing():
    """The outcome is the same."""
    async with WireServer() as server:
        stream = async_start_run(server.url, REQUEST)
        stream.cancel()
        assert "" == await text_of(stream)
        assert ("cancelled", []) == (stream.response.outcome, server.requests)


async def test_a_start_whose_answer_is_on_its_way_can_be_cancelled():
    """The run's id is learned first."""
    ended = records_of(outcome="cancelled", cancelled_by="user")
    headers = {"Content-Type": EVENTS, "Location": "/chat/stream/r1"}
    streams: list[AsyncTextStream] = []

    def cancel_meanwhile(request):
        streams[0].cancel()
        return Reply(headers=headers, ending="hold")

    async with WireServer(
        cancel_meanwhile, Reply(b"{}", headers={}), Reply(encode(ended))
    ) as server:
        streams.append(async_start_run(server.url, REQUEST, backoff=AT_ONCE))
        assert "" == await text_of(streams[0])
        assert ["POST", "DELETE", "GET"] == server.methods


async def test_a_run_can_be_cancelled_without_reading_it():
    """One call, repeated until it is answered."""
    async with WireServer(None, Reply(b"{}", headers={})) as server:
        await async_cancel_run(server.url, "r 1", backoff=AT_ONCE)
        assert ["DELETE", "DELETE"] == server.methods
        assert "/chat/stream/r%201" == server.requests[0].path


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", ""])
async def test_what_is_no_url_is_refused(url):
    """The message shows it."""
    with pytest.raises(ConfigurationError, match="http://"):
        await text_of(async_tail_run(url, "r1"))


def test_the_sync_functions_do_the_same():
    """Through the background loop."""
    ready, done = threading.Event(), threading.Event()
    urls = []

    async def serve():
        async with WireServer(whole, started, Reply(b"{}", headers={})) as server:
            urls.append(server.url)
            ready.set()
            await asyncio.to_thread(done.wait)
            return server.methods

    methods = []
    thread = threading.Thread(target=lambda: methods.extend(asyncio.run(serve())))
    thread.start()
    assert ready.wait(10)
    try:
        assert TEXT == "".join(tail_run(urls[0], "r1"))
        assert TEXT == "".join(start_run(urls[0], REQUEST))
        cancel_run(urls[0], "r1")
    finally:
        done.set()
        thread.join()
    assert ["GET", "POST", "DELETE"] == methods
