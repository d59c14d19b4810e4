"""The routes over real connections, the same in every framework."""

from __future__ import annotations

import asyncio
import json
import socket
from types import SimpleNamespace

import aiohttp
import pytest

from tickertape.core.errors import LogUnavailable, ProviderError, RecordsLost
from tickertape.core.sse import HEARTBEAT, SseDecoder

HELLO = {"messages": [{"role": "user", "content": "Hi"}]}


async def events_of(response):
    """Return (id, payload) of every block up to the end of the body."""
    decoder = SseDecoder()
    return [
        (event.id, event.data if event.data == "[DONE]" else json.loads(event.data))
        for event in decoder.feed(await response.read())
    ]


def text_of(events):
    return "".join(p.get("content", "") for _, p in events if p != "[DONE]")


async def test_a_run_starts_and_is_tailed(server):
    """Headers at once, RunStarted, text, the end, [DONE]."""
    async with server.start() as response:
        assert 200 == response.status
        assert "text/event-stream; charset=utf-8" == response.headers["content-type"]
        assert "no-cache, no-transform" == response.headers["cache-control"]
        assert "no" == response.headers["x-accel-buffering"]
        server.provider.stream.finish("Hel", "lo")
        events = await events_of(response)
    run_id = events[0][1]["run_id"]
    assert f"/chat/stream/{run_id}" == response.headers["location"]
    assert "Hello" == text_of(events)
    assert ("completed", "stop", 5) == tuple(
        events[-2][1][name] for name in ("outcome", "finish_reason", "length")
    )
    assert "[DONE]" == events[-1][1]


async def test_text_arrives_while_the_run_goes_on(server):
    """Each piece is there before the next is sent."""
    async with server.start() as response:
        for piece in ("one", "two", "three"):
            server.provider.stream.send(piece)
            received = b""
            while piece.encode() not in received:
                received += await response.content.readany()
        server.provider.stream.finish()
        assert b"[DONE]" in await response.read()


async def test_p1_a_reader_comes_back_with_its_cursor(server):
    """With the header or the query, it gets exactly what it has not seen."""
    async with server.start() as response:
        server.provider.stream.send("Hel")
        received = b""
        while b"Hel" not in received:
            received += await response.content.readany()
        run_id = response.headers["location"].rpartition("/")[2]
    cursor = SseDecoder().feed(received)[-1].id
    server.provider.stream.finish("lo")
    async with server.tail(run_id, headers={"Last-Event-ID": cursor}) as response:
        assert "lo" == text_of(await events_of(response))
    async with server.tail(run_id, params={"after": cursor}) as response:
        assert "lo" == text_of(await events_of(response))
    async with server.tail(run_id) as response:
        assert "Hello" == text_of(await events_of(response))


async def test_nothing_after_the_end_is_204(server):
    """A browser's EventSource stops at it."""
    async with server.start() as response:
        server.provider.stream.finish("Hi")
        last = (await events_of(response))[-1][0]
        run_id = response.headers["location"].rpartition("/")[2]
    async with server.tail(run_id, headers={"Last-Event-ID": last}) as response:
        assert (204, b"") == (response.status, await response.read())


async def test_p4_cancel_over_http_stops_the_provider(server):
    """It answers when the end is in the log; the tailing reader gets the end; again is safe."""
    async with server.start() as response:
        server.provider.stream.send("Hel")
        run_id = response.headers["location"].rpartition("/")[2]
        async with server.cancel(run_id) as cancelled:
            document = await cancelled.json()
        assert (200, "cancelled", "user", "Hel") == (
            cancelled.status,
            document["outcome"],
            document["cancelled_by"],
            document["content"],
        )
        assert server.provider.stream.is_closed
        assert "cancelled" == (await events_of(response))[-2][1]["outcome"]
    async with server.cancel(run_id) as again:
        assert document == await again.json()


async def test_p4_a_client_that_leaves_stops_nothing(server):
    """It comes back after the end, and has everything."""
    async with server.start() as response:
        await response.content.readany()
        run_id = response.headers["location"].rpartition("/")[2]
        response.close()
    server.provider.stream.finish("Hello")
    async with server.tail(run_id) as response:
        assert "Hello" == text_of(await events_of(response))


async def test_p6_a_reader_that_never_reads_costs_nobody_anything(server):
    """The other reader has 4 MB of text at once; the run ends; the stuck one holds little."""
    async with server.start() as response:
        run_id = response.headers["location"].rpartition("/")[2]
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as stuck:
            stuck.sendall(f"GET /chat/stream/{run_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            for _ in range(400):
                server.provider.stream.send("x" * 10_000)
            server.provider.stream.finish()
            assert 4_000_000 == len(text_of(await events_of(response)))
        async with server.tail(run_id) as late:
            assert 4_000_000 == len(text_of(await events_of(late)))


async def test_p7_a_repeated_start_joins_the_first_run(server):
    """One key, one run, one request to the provider; both read all of it."""
    headers = {"Idempotency-Key": "k1"}
    async with server.start(headers=headers) as first, server.start(headers=headers) as second:
        assert first.headers["location"] == second.headers["location"]
        server.provider.stream.finish("Hello")
        assert "Hello" == text_of(await events_of(first)) == text_of(await events_of(second))
    assert 1 == len(server.provider.requests)
    other = {"messages": [{"role": "user", "content": "Bye"}]}
    async with server.start(other, headers=headers) as refused:
        assert (409, "idempotency_conflict") == (
            refused.status,
            (await refused.json())["error"]["code"],
        )


async def test_a_run_can_be_started_without_a_stream(server):
    """`Prefer: respond-async` answers 202 with the location."""
    async with server.start(headers={"Prefer": "respond-async"}) as response:
        run_id = (await response.json())["run_id"]
    assert (202, f"/chat/stream/{run_id}", "respond-async") == (
        response.status,
        response.headers["location"],
        response.headers["preference-applied"],
    )
    server.provider.stream.finish("Hello")
    async with server.tail(run_id) as response:
        assert "Hello" == text_of(await events_of(response))


async def test_a_run_as_a_document_carries_the_cursor_to_go_on_from(server):
    """State now, and exactly the rest after it."""
    async with server.start(headers={"Prefer": "respond-async"}) as response:
        run_id = (await response.json())["run_id"]
    async with await server.engine.tail(run_id) as tail:
        server.provider.stream.send("Hel")
        while tail.cursor.offset < 1:
            await tail.next()
    async with server.tail(run_id, headers={"Accept": "application/json"}) as response:
        document = await response.json()
    assert ("running", "Hel") == (document["phase"], document["content"])
    server.provider.stream.finish("lo")
    async with server.tail(run_id, params={"after": document["cursor"]}) as response:
        assert "lo" == text_of(await events_of(response))


async def test_a_quiet_stream_has_heartbeats(server):
    """One comment line with one newline, so that no proxy hangs up."""
    async with server.start() as response:
        received = b""
        while HEARTBEAT not in received:
            received += await response.content.readany()
        assert HEARTBEAT + b"\n" not in received


async def test_p10_what_a_provider_says_never_reaches_a_reader(server):
    """The reader gets a code and a safe sentence."""
    server.provider.refusal = ProviderError(
        "provider_rejected", "The provider refused.", detail="key sk-secret is wrong", status=401
    )
    async with server.start() as response:
        body = await response.read()
    assert b"provider_rejected" in body
    assert b"sk-secret" not in body


async def test_p10_a_run_is_its_owners(server):
    """Others get the same 404 as for no run at all; the wrong sign-in gets no hint."""
    async with server.start(
        headers={"Authorization": "ann", "Prefer": "respond-async"}
    ) as response:
        run_id = (await response.json())["run_id"]
    for headers in ({"Authorization": "bob"}, {}):
        async with server.tail(run_id, headers=headers) as response:
            assert 404 == response.status
            theirs = (await response.text()).replace(run_id, "?")
        async with server.tail("nonsense", headers=headers) as response:
            assert theirs == (await response.text()).replace("nonsense", "?")
        async with server.cancel(run_id, headers=headers) as response:
            assert 404 == response.status
    async with server.tail(run_id, headers={"Authorization": "wrong"}) as response:
        assert 401 == response.status
    async with server.cancel(run_id, headers={"Authorization": "ann"}) as response:
        assert 200 == response.status


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"not json", 400, None),
        (b'{"messages": [', 400, None),
        (b"\xff\xfe", 400, None),
        (b"[" * 15_000, 400, None),
        (b"[]", 400, None),
        (b"{}", 400, "messages"),
        (b'{"messages": []}', 400, "messages"),
        (b'{"messages": "Hi"}', 400, "messages"),
        (b'{"messages": [{"role": "boss", "content": "Hi"}]}', 400, "messages[0].role"),
        (b'{"messages": [{"role": "user"}]}', 400, "messages[0].content"),
        (b'{"messages": [{"content": "Hi"}]}', 400, "messages[0].role"),
        ({**HELLO, "max_tokens": 0}, 400, "max_tokens"),
        ({**HELLO, "max_tokens": 101}, 400, "max_tokens"),
        ({**HELLO, "max_tokens": "9"}, 400, "max_tokens"),
        ({**HELLO, "temperature": 3}, 400, "temperature"),
        ({**HELLO, "n": 99}, 400, "n"),
        ({**HELLO, "tempreature": 1}, 400, "tempreature"),
        ({**HELLO, "model": "nowhere"}, 400, "model"),
        ({"messages": HELLO["messages"] * 6}, 413, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 1001}]}, 413, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 30_000}]}, 413, None),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_input_is_refused_and_the_field_is_named(server, body, status, param):
    """Never a 500, never a run."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{server.url}/chat/stream"
    headers = {"Content-Type": "application/json"}
    async with server.session.post(url, data=data, headers=headers) as response:
        error = (await response.json())["error"]
    assert (status, param) == (response.status, error["param"])
    assert error["message"]
    if param:
        assert param.rpartition(".")[2] in error["message"]
    assert [] == server.provider.requests


async def test_another_content_type_is_415(server):
    """A form from another site can't start a run."""
    url = f"{server.url}/chat/stream"
    async with server.session.post(
        url, data=b"{}", headers={"Content-Type": "text/plain"}
    ) as response:
        assert 415 == response.status
        assert "Content-Type" == (await response.json())["error"]["param"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "-5",
        "٣",
        "9" * 40,
        "1 2",
        "1.",
        "1.0",
        "1.02",
        ".2",
        "x.2",
        "1.x",
        "1.-2",
        "1.2.3",
        "-1.2",
        "1e3",
        "+1",
        "1\n",
        f"1.{'9' * 40}",
    ],
)
async def test_a_cursor_that_is_none_is_refused(server, cursor):
    """The message says what a cursor is."""
    async with server.start(headers={"Prefer": "respond-async"}) as response:
        run_id = (await response.json())["run_id"]
    async with server.tail(run_id, params={"after": cursor}) as response:
        error = (await response.json())["error"]
        assert (400, "after") == (response.status, error["param"])
    async with server.tail(run_id, params={"after": "77"}) as response:
        assert "cursor_beyond_end" == (await response.json())["error"]["code"]


async def test_a_full_server_says_when_to_come_back(server):
    """503 with `Retry-After`."""
    for _ in range(4):
        async with server.start(headers={"Prefer": "respond-async"}) as response:
            assert 202 == response.status
    async with server.start() as response:
        assert (503, "busy") == (response.status, (await response.json())["error"]["code"])
        assert int(response.headers["retry-after"]) > 0


async def test_a_draining_server_is_not_ready_and_takes_no_runs(server):
    """Load balancers look at `/readyz`."""
    async with server.session.get(f"{server.url}/readyz") as response:
        assert 200 == response.status
    await server.engine.drain(0)
    async with server.session.get(f"{server.url}/readyz") as response:
        assert 503 == response.status
    async with server.start() as response:
        assert 503 == response.status
    async with server.session.get(f"{server.url}/healthz") as response:
        assert 200 == response.status


async def test_p10_a_log_that_is_away_is_not_ready_and_says_no_more(server, monkeypatch):
    """Its kind, and when to come again; not where it is."""

    async def check():
        raise LogUnavailable("no answer from redis.internal:6379")

    monkeypatch.setattr(server.engine.log, "check", check)
    async with server.session.get(f"{server.url}/readyz") as response:
        error = (await response.json())["error"]
        assert (503, "1", "log_unavailable") == (
            response.status,
            response.headers["retry-after"],
            error["code"],
        )
        assert "redis" not in error["message"]


async def test_p2_a_feed_whose_log_goes_away_breaks_off_and_resumes(server, monkeypatch, caplog):
    """No end and no `[DONE]`; the operator reads one line for all readers, and no traceback."""
    log = server.engine.log
    read = log.read

    async def fail(run_id, *, after, limit=1024):
        raise LogUnavailable("no answer")

    async with server.start() as first:
        server.provider.stream.send("one")
        received = await first.content.readany()
        while b"one" not in received:
            received += await first.content.readany()
        async with server.session.get(server.url + first.headers["location"]) as second:
            await second.content.readany()
            monkeypatch.setattr(log, "read", fail)
            server.provider.stream.send("two")
            for response in (first, second):
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.read()
    monkeypatch.setattr(log, "read", read)
    server.provider.stream.finish("three")
    async with server.session.get(
        server.url + first.headers["location"], headers={"Last-Event-ID": "1"}
    ) as resumed:
        events = await events_of(resumed)
    assert "twothree" == text_of(events)
    assert "[DONE]" == events[-1][1]
    ours = [record for record in caplog.records if record.name == "tickertape.web"]
    assert ["LogUnavailable: no answer"] == [record.getMessage() for record in ours]
    assert not any(record.exc_info for record in caplog.records)


async def test_a_reader_of_lost_records_is_told_to_read_again(server, monkeypatch):
    """409, which no client tries again by itself."""

    async def head(run_id):
        raise RecordsLost(run_id)

    monkeypatch.setattr(server.engine.log, "head", head)
    async with server.session.get(f"{server.url}/chat/stream/r") as response:
        assert (409, "records_lost") == (response.status, (await response.json())["error"]["code"])


async def test_models_are_listed_with_the_default(server):
    """A page can offer them."""
    async with server.session.get(f"{server.url}/models") as response:
        assert {"models": ["m", "other"], "default": "m"} == await response.json()


async def test_a_reader_that_leaves_frees_its_subscriber(server, monkeypatch):
    """Long before the end of the run, and the run goes on."""
    left = asyncio.Event()
    watch = server.engine.log.watch

    def watch_and_tell(run_id, wake):
        watching = watch(run_id, wake)
        close = watching.close
        return SimpleNamespace(close=lambda: (close(), left.set()))

    monkeypatch.setattr(server.engine.log, "watch", watch_and_tell)
    async with server.start() as response:
        await response.content.readany()
        response.close()
        await left.wait()
    assert not server.provider.stream.is_closed
