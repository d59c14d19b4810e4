"""Faults on a real socket, to the byte; and what the server saw of its client."""

import asyncio
import json
import socket

import msgspec
import pytest

from tests.testing.fault_server.raw_client import (
    CHAT,
    ManualSleep,
    NoSleep,
    answer,
    call,
    connected,
    events,
    http_chunks,
    split,
    text_of,
)
from tickertape.testing.fault_server import (
    Answer,
    EndedOtherwise,
    EndOfFile,
    Faults,
    FaultServer,
    Rejection,
    Reset,
    Stall,
    StreamError,
)

HI = Answer(text=("Hé", "🙂"))


def fixed():
    return 1_700_000_000.0


async def reference() -> bytes:
    """Return the body of the first answer of a server without faults."""
    async with FaultServer(HI, clock=fixed) as server:
        return text_of(await answer(server))


async def body_with(**faults) -> bytes:
    """Return the raw response to the first request of a server with these faults."""
    async with FaultServer(HI, clock=fixed) as server:
        return await answer(server, headers={"x-tickertape-faults": msgspec_json(Faults(**faults))})


def msgspec_json(value) -> str:
    return msgspec.json.encode(value).decode()


async def test_a_good_answer_is_one_http_chunk_a_chunk():
    """With a proper end."""
    async with FaultServer(HI) as server:
        raw = await answer(server)
        exchange = await server.next_exchange()
    head, body = split(raw)
    assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n")
    assert b"\r\ntransfer-encoding: chunked" in head
    *chunks, last = http_chunks(body)
    assert b"" == last
    assert all(chunk.endswith(b"\n\n") for chunk in chunks)
    assert ["", "Hé", "🙂"] == [
        chunk["choices"][0]["delta"]["content"] for chunk in events(b"".join(chunks))[:3]
    ]
    assert ("finished", 5, len(b"".join(chunks))) == (
        exchange.ended_by,
        exchange.chunks_sent,
        exchange.bytes_sent,
    )


async def test_bytes_one_by_one_are_the_same_bytes():
    """Every HTTP chunk has one byte, so that characters and line ends are split."""
    chunks = http_chunks(split(await body_with(bytes_per_write=1))[1])
    assert {1} == {len(chunk) for chunk in chunks[:-1]}
    assert await reference() == b"".join(chunks)


async def test_bursts_are_several_chunks_at_once():
    """Two and two and one."""
    chunks = http_chunks(split(await body_with(chunks_per_write=2))[1])
    assert [2, 2, 1, 0] == [chunk.count(b"\n\n") for chunk in chunks]


async def test_a_line_can_end_with_crlf():
    """And nothing else."""
    body = text_of(await body_with(line_end="crlf"))
    assert (await reference()).replace(b"\n", b"\r\n") == body


async def test_a_byte_order_mark_can_come_first():
    """Before the first event."""
    assert b"\xef\xbb\xbf" + await reference() == text_of(await body_with(has_byte_order_mark=True))


async def test_the_content_type_can_be_wrong():
    """And there can be more headers."""
    head, _ = split(await body_with(content_type="text/html", headers={"x-extra": "1"}))
    assert b"\r\ncontent-type: text/html\r\n" in head
    assert b"\r\nx-extra: 1\r\n" in head


async def test_the_body_can_end_with_the_connection():
    """Then nothing but the end of file tells where it ends."""
    head, body = split(await body_with(framing="close"))
    assert b"transfer-encoding" not in head
    assert b"content-length" not in head
    assert await reference() == body


@pytest.mark.parametrize("at", [0, 1, 7, 200, 500])
async def test_a_reset_comes_after_exactly_so_many_bytes(at):
    """A real one, which the socket reports."""
    whole = await reference()
    faults = Faults(failure=Reset(after_bytes=at), framing="close")
    async with FaultServer(faults, clock=fixed) as server, connected(server) as client:
        client.ask(headers={"x-tickertape-answer": msgspec_json(HI)})
        _, body = split(await client.read_to_reset())
        exchange = await server.next_exchange()
        assert ("cut", at) == (await exchange.ended(), exchange.bytes_sent)
    assert whole[:at] == body


async def test_a_reset_can_come_before_any_answer():
    """Not one byte."""
    async with FaultServer(Faults(failure=Reset())) as server, connected(server) as client:
        client.ask()
        assert b"" == await client.read_to_reset()


@pytest.mark.parametrize(
    ("faults", "ends"),
    [
        ({"framing": "close"}, []),
        ({"framing": "chunked"}, [b""]),
    ],
)
async def test_an_end_of_file_can_look_clean(faults, ends):
    """By the connection's end, or a proper end of the body."""
    raw = await body_with(failure=EndOfFile(after_bytes=100), **faults)
    body = split(raw)[1] if faults["framing"] == "close" else text_of(raw)
    assert (await reference())[:100] == body
    if ends:
        assert ends == http_chunks(split(raw)[1])[-1:]


async def test_an_end_of_file_can_come_inside_the_body():
    """No last HTTP chunk."""
    raw = await body_with(failure=EndOfFile(after_chunks=2, ends_body=False))
    chunks = http_chunks(split(raw)[1])
    assert 2 == len(chunks)
    assert (await reference()).startswith(b"".join(chunks))
    assert not raw.endswith(b"0\r\n\r\n")


async def test_an_end_of_file_can_come_before_any_answer():
    """As on a pooled connection that went stale."""
    async with FaultServer(Faults(), Faults(failure=EndOfFile())) as server:
        async with connected(server) as client:
            client.ask()
            await client.read_until(b"\r\n0\r\n\r\n")
            client.ask()
            assert b"" == await client.read_to_end()
        first, second = server.exchanges
    assert ("finished", "cut") == (first.ended_by, second.ended_by)
    assert first.connection == second.connection


async def test_an_answer_that_is_cut_short_of_its_length():
    """Without a stream: the content-length promises more."""
    async with FaultServer(Faults(failure=EndOfFile(after_bytes=9))) as server:
        head, body = split(await answer(server, stream=False))
    assert 9 == len(body)
    assert b"content-length: 9\r\n" not in head


async def test_an_error_inside_the_stream_ends_it():
    """The body ends as it should; there is no `[DONE]`."""
    raw = await body_with(failure=StreamError(after_chunks=2, message="no"))
    *_, second, error = events(text_of(raw))
    assert "Hé" == second["choices"][0]["delta"]["content"]
    assert "no" == error["error"]["message"]
    assert raw.endswith(b"\r\n0\r\n\r\n")


async def test_invalid_bytes_reach_the_socket():
    """A chunk that is no JSON, and one that is no UTF-8."""
    halved = text_of(await body_with(invalid_json_at=1)).split(b"\n\n")[1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(halved.removeprefix(b"data: "))
    assert b'"content":"\xffH\xc3\xa9"' in text_of(await body_with(invalid_utf8_at=1))


async def test_pace_is_waited_between_chunks():
    """With the server's own sleep."""
    sleep = NoSleep()
    async with FaultServer(Faults(pace_s=0.25, first_byte_delay_s=3), sleep=sleep) as server:
        await answer(server, max_tokens=2)
    assert [3, *[0.25] * 4] == sleep.asked


async def test_nothing_comes_before_the_first_byte_is_due():
    """Then all of it."""
    sleep = ManualSleep()
    async with (
        FaultServer(Faults(first_byte_delay_s=3), sleep=sleep) as server,
        connected(server) as client,
    ):
        client.ask()
        exchange = await server.next_exchange()
        assert 0 == exchange.bytes_sent
        sleep.tick()
        await client.read_until(b"\r\n0\r\n\r\n")
        assert "finished" == await exchange.ended()


async def test_a_stall_lasts_until_it_is_resumed():
    """What comes before it comes; then the rest."""
    async with (
        FaultServer(Faults(failure=Stall(after_chunks=2))) as server,
        connected(server) as client,
    ):
        client.ask(headers={"connection": "close"}, max_tokens=3)
        exchange = await server.next_exchange()
        assert 2 == await exchange.stalled()
        assert exchange.ended_by is None
        exchange.resume()
        found = events(text_of(await client.read_to_end()))
    assert ["", "tape0 ", "prints1 ", "every2 "] == [
        chunk["choices"][0]["delta"]["content"] for chunk in found[:4]
    ]
    assert "finished" == exchange.ended_by


async def test_a_stall_can_have_a_limit():
    """It goes on by itself."""
    sleep = NoSleep()
    async with FaultServer(Faults(failure=Stall(after_chunks=1, for_s=9)), sleep=sleep) as server:
        assert "[DONE]" == events(text_of(await answer(server)))[-1]
    assert [9] == sleep.asked


async def test_heartbeats_come_while_it_stalls():
    """As many as the time allows, and no text."""
    sleep = ManualSleep()
    stall = Stall(after_chunks=1, heartbeat=": hb\n\n", heartbeat_every_s=2)
    async with (
        FaultServer(Faults(failure=stall), sleep=sleep) as server,
        connected(server) as client,
    ):
        client.ask()
        await (await server.next_exchange()).stalled()
        await client.read_until(b"\n\n\r\n")
        for _ in range(3):
            sleep.tick()
            assert b"6\r\n: hb\n\n\r\n" == await client.read_until(b"\n\n\r\n")
    assert {2} == set(sleep.asked)


@pytest.mark.parametrize(
    ("stall", "received"),
    [(Stall(), b""), (Stall(after_chunks=0), b"\r\n\r\n")],
    ids=["nothing", "headers"],
)
async def test_it_can_say_nothing_at_all(stall, received):
    """Neither headers nor body, or headers alone; the server is closed meanwhile."""
    server = FaultServer(Faults(failure=stall))
    await server.start()
    async with connected(server) as client:
        client.ask()
        exchange = await server.next_exchange()
        assert 0 == await exchange.stalled()
        await server.close()
        raw = await client.read_to_end()
    assert received == raw[-4:]
    assert ("server_closed", 0) == (await exchange.ended(), exchange.bytes_sent)


@pytest.mark.parametrize(
    "stall",
    [
        Stall(),
        Stall(after_chunks=0),
        Stall(after_chunks=3),
        Stall(after_bytes=100),
        Stall(after_chunks=3, heartbeat=": hb\n"),
        Stall(after_chunks=3, for_s=99),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_hangs_up_is_noticed_while_nothing_is_sent(stall, reset):
    """By an end of file or a reset; the number of chunks sent before is known."""
    sleep = ManualSleep()
    async with (
        FaultServer(Faults(failure=stall), sleep=sleep) as server,
        connected(server) as client,
    ):
        client.ask()
        exchange = await server.next_exchange()
        sent = await exchange.stalled()
        if reset:
            client.writer.transport.abort()
        else:
            await client.hang_up()
        assert sent == await exchange.hung_up()
    assert (stall.after_chunks or 0) == sent
    assert "hung_up" == exchange.ended_by


async def test_hanging_up_before_the_first_byte_is_noticed():
    """While the server thinks."""
    async with (
        FaultServer(Faults(first_byte_delay_s=9), sleep=ManualSleep()) as server,
        connected(server) as client,
    ):
        client.ask()
        exchange = await server.next_exchange()
        await client.hang_up()
        assert 0 == await exchange.hung_up()


async def test_hanging_up_between_two_chunks_is_noticed():
    """At a pace, not in a stall."""
    sleep = ManualSleep()
    async with FaultServer(Faults(pace_s=1), sleep=sleep) as server, connected(server) as client:
        client.ask()
        sleep.tick(2)
        for end in (b"\r\n\r\n", *[b"\n\n\r\n"] * 3):  # the headers, and three chunks
            await client.read_until(end)
        await client.hang_up()
        assert 3 == await (await server.next_exchange()).hung_up()


async def test_a_client_that_reads_nothing_stops_the_server():
    """What doesn't fit into the kernel's buffers is not counted as sent."""
    answer = Answer(text=("x" * 1_000_000,) * 40)
    async with FaultServer(answer) as server, connected(server, limit=1024) as client:
        client.transport.pause_reading()
        client.ask()
        exchange = await server.next_exchange()
        await client.hang_up()
        assert 40 > await exchange.hung_up()


async def test_hanging_up_is_told_from_finishing():
    """A wait for what did not happen raises at once."""
    async with FaultServer() as server:
        await answer(server)
        exchange = await server.next_exchange()
        with pytest.raises(EndedOtherwise, match="ended_by=finished"):
            await exchange.hung_up()
        with pytest.raises(EndedOtherwise, match="ended_by=finished"):
            await exchange.stalled()


async def test_a_connection_serves_many_requests():
    """One after the other, or sent at once."""
    async with FaultServer(Answer(text="x")) as server, connected(server) as client:
        client.ask()
        await client.read_until(b"\r\n0\r\n\r\n")
        client.ask()
        client.ask()
        await client.read_until(b"\r\n0\r\n\r\n")
        await client.read_until(b"\r\n0\r\n\r\n")
        assert [0, 0, 0] == [exchange.connection for exchange in server.exchanges]


async def test_a_rejected_request_leaves_the_connection_usable():
    """Its body has a length."""
    rejected = Faults(failure=Rejection(body="no"))
    async with FaultServer(rejected, Faults()) as server, connected(server) as client:
        client.ask()
        await client.read_until(b"\r\n\r\nno")
        client.ask()
        await client.read_until(b"\r\n0\r\n\r\n")


async def test_what_is_no_http_is_answered_with_400():
    """And the connection is closed."""
    async with FaultServer() as server, connected(server) as client:
        client.writer.write(b"hello\r\n\r\n")
        raw = await client.read_to_end()
        assert server.exchanges == []
    assert raw.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"not an HTTP/1.1 request line: 'hello'" in raw


async def test_nothing_is_read_after_what_is_no_http():
    """The answer under way is finished; then comes the 400, and no request counts."""
    async with FaultServer(Faults(failure=Stall())) as server, connected(server) as client:
        client.ask()
        exchange = await server.next_exchange()
        await exchange.stalled()
        for data in (b"hello\r\n\r\n", b"GET /v1/models HTTP/1.1\r\n\r\n"):
            client.writer.write(data)
            # By the time that another connection is answered, this one was read.
            await call(server, "GET", "/v1/models")
        exchange.resume()
        assert (await client.read_to_end()).endswith(b"request line: 'hello'\n")
    assert [0, 1, 2] == [exchange.connection for exchange in server.exchanges]


async def test_too_many_requests_at_once_are_refused():
    """Nothing that waits grows without bound; the answer under way is finished first."""
    async with FaultServer(Faults(failure=Stall())) as server, connected(server) as client:
        client.ask()
        exchange = await server.next_exchange()
        await exchange.stalled()
        client.writer.write(b"GET /v1/models HTTP/1.1\r\n\r\n" * 40)
        exchange.resume()
        raw = await client.read_to_end()
        assert 1 == len(server.exchanges)
    assert b"\r\n0\r\n\r\nHTTP/1.1 400 Bad Request\r\n" in raw
    assert raw.endswith(b"more than 16 requests without an answer\n")


async def test_a_client_that_waits_for_a_go_ahead_gets_it():
    """`Expect: 100-continue`."""
    async with FaultServer() as server, connected(server) as client:
        body = b'{"model":"m","messages":[]}'
        headers = {"expect": "100-continue", "content-length": str(len(body))}
        client.send("POST", CHAT, headers=headers)
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await client.read_until(b"\r\n\r\n")
        client.writer.write(body)
        assert (await client.read_until(b"\r\n")).startswith(b"HTTP/1.1 200")


async def test_requests_are_recorded():
    """Decoded, with the time."""
    async with FaultServer(clock=fixed) as server:
        path = "/openai/deployments/d%2F1/chat/completions"
        await answer(server, f"{path}?api-version=2024-10-21", headers={"X-One": "1"}, n=2)
        await call(server, "GET", "/v1/models")
        first, second = server.requests
    assert ("POST", path, {"api-version": "2024-10-21"}) == (first.method, first.path, first.query)
    assert ("1", 2, fixed()) == (first.headers["x-one"], first.body["n"], first.started_at)
    assert json.loads(first.raw_body) == first.body
    assert (None, b"") == (second.body, second.raw_body)


RESPONSES = "/v1/responses"
BACKGROUND = {"background": True, "store": True}


async def test_a_background_response_is_read_again_exactly_after_a_number():
    """What came before the cut and after it is the whole, without gap or repeat."""
    whole = await reference_response()
    for after in range(len(whole)):
        async with FaultServer(
            Faults(failure=EndOfFile(after_chunks=after + 1)), Faults(), clock=fixed
        ) as server:
            first = events(text_of(await answer(server, RESPONSES, **BACKGROUND)))
            rest = await get(
                server, f"{RESPONSES}/resp_00000001?stream=true&starting_after={after}"
            )
        assert after == first[-1]["sequence_number"]
        assert whole == first + events(text_of(rest))


async def reference_response():
    async with FaultServer(clock=fixed) as server:
        return events(text_of(await answer(server, RESPONSES, **BACKGROUND)))


async def get(server, path) -> bytes:
    async with connected(server) as client:
        client.send("GET", path, headers={"connection": "close"})
        return await client.read_to_end()


async def test_a_background_response_goes_on_while_nobody_is_connected():
    """At its pace; who comes later gets what there is, and then what comes."""
    sleep = ManualSleep()
    path = f"{RESPONSES}/resp_00000001"
    async with FaultServer(Faults(pace_s=1), Faults(), sleep=sleep, clock=fixed) as server:
        async with connected(server) as client:
            client.ask(RESPONSES, max_output_tokens=2, **BACKGROUND)
            await client.read_until(b'"response.queued"')
            await client.hang_up()
            await (await server.next_exchange()).hung_up()
        sleep.tick(4)
        async with connected(server) as client:
            client.send("GET", f"{path}?stream=true&starting_after=2")
            await client.read_until(b"response.content_part.added")
            status, body = await call(server, "GET", path)
            assert (200, "in_progress") == (status, body["status"])
            sleep.tick(6)
            rest = await client.read_until(b"\r\n0\r\n\r\n")
        assert b'"response.incomplete"' in rest
        status, body = await call(server, "GET", path)
    assert (200, "incomplete") == (status, body["status"])
    assert "tape0 prints1 " == body["output"][0]["content"][0]["text"]


async def test_cancelling_a_background_response_ends_its_streams():
    """Without an end event; again, it changes nothing."""
    sleep = ManualSleep()
    path = f"{RESPONSES}/resp_00000001"
    async with FaultServer(Faults(pace_s=1), sleep=sleep) as server, connected(server) as client:
        client.ask(RESPONSES, **BACKGROUND)
        await client.read_until(b'"response.queued"')
        for _ in range(2):
            status, body = await call(server, "POST", f"{path}/cancel")
            assert (200, "cancelled") == (status, body["status"])
        rest = await client.read_until(b"\r\n0\r\n\r\n")
        assert "finished" == await (await server.next_exchange()).ended()
    assert b"event: " not in rest.split(b"\n\n", 1)[1]


@pytest.mark.parametrize(
    ("method", "path", "status", "param"),
    [
        ("GET", "/v1/responses/resp_none", 404, None),
        ("POST", "/v1/responses/resp_none/cancel", 404, None),
        ("GET", "/v1/responses/resp_00000001?stream=true", 400, "stream"),
        ("GET", "/v1/responses/resp_00000002?stream=true&starting_after=x", 400, "starting_after"),
    ],
)
async def test_a_wrong_attempt_to_read_again_is_refused(method, path, status, param):
    """Unknown, or not created with a stream, or no number."""
    async with FaultServer() as server:
        await answer(server, RESPONSES, stream=False, **BACKGROUND)
        await answer(server, RESPONSES, **BACKGROUND)
        found, body = await call(server, method, path)
    assert (status, param) == (found, body["error"]["param"])


async def test_a_background_response_without_a_stream_is_polled():
    """It is queued first."""
    async with FaultServer(Answer(text="Hi")) as server:
        _, first = split(await answer(server, RESPONSES, stream=False, **BACKGROUND))
        _, then = await call(server, "GET", f"{RESPONSES}/resp_00000001")
    assert "queued" == json.loads(first)["status"]
    assert "completed" == then["status"]


async def test_a_rejection_can_meet_a_reader_that_comes_again():
    """Each request takes the next turn."""
    turns = (Faults(), Faults(failure=Rejection(status=500)), Faults())
    path = f"{RESPONSES}/resp_00000001?stream=true"
    async with FaultServer(*turns) as server:
        await answer(server, RESPONSES, **BACKGROUND)
        refused, again = await get(server, path), await get(server, path)
    assert (b"500", b"200") == (refused.split()[1], again.split()[1])


async def test_many_clients_are_served_at_once():
    """Each gets its own answer, whole."""
    async with FaultServer(Faults(bytes_per_write=7)) as server:
        answers = await asyncio.gather(*(answer(server, max_tokens=n) for n in range(20)))
    for n, raw in enumerate(answers):
        texts = [
            chunk["choices"][0]["delta"].get("content", "") for chunk in events(text_of(raw))[:-1]
        ]
        assert n == len("".join(texts).split())


async def test_a_half_closed_connection_counts_as_hung_up():
    """No HTTP client of a model goes on reading after that."""
    async with (
        FaultServer(Faults(failure=Stall(after_chunks=1))) as server,
        connected(server) as client,
    ):
        client.ask()
        exchange = await server.next_exchange()
        await exchange.stalled()
        client.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        assert 1 == await exchange.hung_up()
