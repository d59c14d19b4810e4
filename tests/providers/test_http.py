"""Connections to providers, against a server that plays bytes on a real socket."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl

import pytest
import trustme

from tests.providers.scripted_server import (
    CHUNKED_HEAD,
    CLOSE_HEAD,
    LAST_CHUNK,
    STREAM_HEAD,
    ScriptedServer,
    answer,
    chunk,
    response,
)
from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.providers import http
from tickertape.providers.http import HttpTransport

KEY = "sk-abc123"
HEADERS = {"Authorization": f"Bearer {KEY}"}
COMPLETE = CHUNKED_HEAD + chunk(b"data: a\n\n") + LAST_CHUNK


@pytest.fixture
async def transport():
    async with HttpTransport() as transport:
        yield transport


async def open_at(transport, url, *, body=b"{}"):
    return await transport.open_stream(f"{url}/chat", headers=HEADERS, body=body)


async def read_to_end(stream):
    read = []
    while piece := await stream.read():
        read.append(piece)
    stream.close()
    return b"".join(read)


async def refusal(transport, *scripts):
    async with ScriptedServer(*scripts) as server:
        with pytest.raises(ProviderError) as caught:
            await open_at(transport, server.url)
        return caught.value


async def test_the_request_asks_for_plain_events(transport):
    """The request is a JSON POST with our key, and asks for events, not compressed."""
    async with ScriptedServer(answer(COMPLETE)) as server:
        await read_to_end(await open_at(transport, server.url, body=b'{"a":1}'))
        request = server.requests[0]
    assert request.line == "POST /chat HTTP/1.1"
    assert request.json == {"a": 1}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-type"] == "application/json"


async def test_a_url_is_sent_as_it_is(transport):
    """Percent-encoding survives: a deployment's name may hold a slash."""
    async with ScriptedServer(answer(COMPLETE)) as server:
        url = f"{server.url}/deployments/a%2Fb%20%7Ec"
        await read_to_end(await open_at(transport, url))
        assert server.requests[0].line == "POST /deployments/a%2Fb%20%7Ec/chat HTTP/1.1"


async def test_a_large_body_arrives_whole(transport):
    """A conversation of two megabytes (images) is sent without a warning."""
    body = b'"' + b"x" * 2_097_152 + b'"'
    async with ScriptedServer(answer(COMPLETE)) as server:
        await read_to_end(await open_at(transport, server.url, body=body))
        assert body == server.requests[0].body


async def test_bytes_are_returned_as_they_arrive(transport):
    """A read returns what is there, and does not wait for more."""
    second = asyncio.Event()

    async def play(exchange):
        await exchange.request()
        await exchange.send(CHUNKED_HEAD + chunk(b"one"))
        await second.wait()
        await exchange.send(chunk(b"two") + LAST_CHUNK)

    async with ScriptedServer(play) as server:
        stream = await open_at(transport, server.url)
        assert await stream.read() == b"one"
        second.set()
        assert await stream.read() == b"two"
        assert await stream.read() == b""
        stream.close()


async def test_p6_a_slow_reader_holds_the_provider_back(transport):
    """What is not read piles up at the provider, not in this process."""
    size = 33_554_432  # more than the kernel's buffers take
    writers = []

    async def play(exchange):
        await exchange.request()
        exchange.writer.write(STREAM_HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
        writers.append(exchange.writer.transport)
        await exchange.writer.drain()

    async with ScriptedServer(play) as server:
        stream = await open_at(transport, server.url)
        for _ in range(1000):  # turns of the loop; each could take 256 KiB from the socket
            await asyncio.sleep(0)
        assert writers[0].get_write_buffer_size() > 0
        assert len(await read_to_end(stream)) == size


@pytest.mark.parametrize("closing", ["while reading", "before reading"])
@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
async def test_p4_closing_reaches_the_provider_and_ends_the_read(closing, is_tls):
    """The provider sees the connection end, even while it is silent; no read hangs."""
    stopped = asyncio.Event()

    async def play(exchange):
        await exchange.request()
        await exchange.send(CHUNKED_HEAD + chunk(b"one"))
        await exchange.closed_by_client()
        stopped.set()

    client, server_side = tls_contexts() if is_tls else (None, None)
    async with (
        HttpTransport(tls=client) as transport,
        ScriptedServer(play, tls=server_side) as server,
    ):
        stream = await open_at(transport, server.url)
        assert await stream.read() == b"one"
        if closing == "while reading":
            reading = asyncio.ensure_future(stream.read())
            await asyncio.sleep(0)
            stream.close()
            assert await reading == b""
        else:
            stream.close()
        await stopped.wait()
        assert await stream.read() == b""
        stream.close()


async def test_a_cancelled_open_closes_the_connection(transport):
    """Who gives up before the status is known leaves nothing running at the provider."""
    asked, stopped = asyncio.Event(), asyncio.Event()

    async def play(exchange):
        await exchange.request()
        asked.set()
        await exchange.closed_by_client()
        stopped.set()

    async with ScriptedServer(play) as server:
        opening = asyncio.ensure_future(open_at(transport, server.url))
        await asked.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await stopped.wait()


async def test_closing_the_transport_ends_open_streams():
    """After `close`, an open stream's read says that the connection broke."""

    async def play(exchange):
        await exchange.request()
        await exchange.send(CHUNKED_HEAD)
        await exchange.closed_by_client()

    async with ScriptedServer(play) as server:
        transport = HttpTransport()
        stream = await open_at(transport, server.url)
        await transport.close()
        await transport.close()
        with pytest.raises(ProviderError) as caught:
            await stream.read()
        assert caught.value.code == "truncated"
        stream.close()


CUTS = {
    "chunks without the last": CHUNKED_HEAD + chunk(b"text"),
    "in the middle of a chunk": CHUNKED_HEAD + b"8\r\ntext",
    "less than the length": STREAM_HEAD + b"Content-Length: 10\r\n\r\ntext",
}


@pytest.mark.parametrize("data", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("ending", ["end of file", "reset"])
async def test_p2_a_body_that_was_cut_is_no_end_of_file(transport, data, ending):
    """What arrived is returned; then the read raises `truncated`, again and again."""

    async def play(exchange):
        await exchange.request()
        await exchange.send(data)
        if ending == "reset":
            exchange.reset()

    async with ScriptedServer(play) as server:
        stream = await open_at(transport, server.url)
        await gone(stream)
        assert await stream.read() == b"text"
        for _ in range(2):
            with pytest.raises(ProviderError) as caught:
                await stream.read()
            assert caught.value.code == "truncated"
            assert caught.value.is_retryable
        stream.close()


async def test_p2_a_body_that_stops_being_well_formed_does_not_hang(transport):
    """Garbage in the place of a chunk's size ends the stream with `truncated`."""
    go_on = asyncio.Event()

    async def play(exchange):
        await exchange.request()
        await exchange.send(CHUNKED_HEAD + chunk(b"text"))
        await go_on.wait()
        await exchange.send(b"ZZ\r\nwhat")
        await exchange.closed_by_client()

    async with ScriptedServer(play) as server:
        stream = await open_at(transport, server.url)
        assert await stream.read() == b"text"
        reading = asyncio.ensure_future(stream.read())
        go_on.set()
        with pytest.raises(ProviderError) as caught:
            await reading
        assert caught.value.code == "truncated"
        stream.close()


async def test_an_old_style_body_ends_with_its_connection(transport):
    """Without length or chunks, the end of the connection is the end of the file."""
    async with ScriptedServer(answer(CLOSE_HEAD + b"text")) as server:
        assert await read_to_end(await open_at(transport, server.url)) == b"text"


async def serve_two(exchange):
    for _ in range(2):
        await exchange.request()
        await exchange.send(COMPLETE)
    await exchange.closed_by_client()


async def test_a_connection_whose_answer_was_read_is_used_again(transport):
    """Two answers read to their end take one connection."""
    async with ScriptedServer(serve_two) as server:
        await read_to_end(await open_at(transport, server.url))
        await read_to_end(await open_at(transport, server.url))
        assert server.connections == 1


async def test_a_connection_whose_answer_was_left_is_not_used_again(transport):
    """An answer that was closed early takes its connection along."""

    async def play(exchange):
        await exchange.request()
        await exchange.send(CHUNKED_HEAD + chunk(b"one"))
        await exchange.closed_by_client()

    async with ScriptedServer(play, answer(COMPLETE)) as server:
        stream = await open_at(transport, server.url)
        await stream.read()
        stream.close()
        assert await read_to_end(await open_at(transport, server.url)) == b"data: a\n\n"
        assert server.connections == 2


async def test_a_kept_connection_that_breaks_later_is_nobodys_error(transport):
    """A reset between two answers is not reported as an exception that nobody took."""
    reports = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, report: reports.append(report))
    is_open, is_read = asyncio.Event(), asyncio.Event()

    async def play(exchange):
        await exchange.request()
        await exchange.send(CHUNKED_HEAD)
        await is_open.wait()
        await exchange.send(chunk(b"one") + LAST_CHUNK)
        await is_read.wait()
        exchange.reset()

    async with ScriptedServer(play, answer(COMPLETE)) as server:
        stream = await open_at(transport, server.url)
        lost = stream._lost
        is_open.set()
        await read_to_end(stream)
        is_read.set()
        await asyncio.wait([lost])
        await read_to_end(await open_at(transport, server.url))  # the pool drops the broken one
        del stream, lost
        gc.collect()
    assert reports == []


async def goes_stale(exchange):
    """Answer once; end the connection when the next request comes, without a word."""
    await exchange.request()
    await exchange.send(COMPLETE)
    await exchange.request()


async def test_a_request_on_a_stale_connection_is_sent_again(transport):
    """A kept connection that ends instead of answering costs nobody an error."""
    async with ScriptedServer(goes_stale, answer(COMPLETE)) as server:
        await read_to_end(await open_at(transport, server.url))
        assert await read_to_end(await open_at(transport, server.url)) == b"data: a\n\n"
        assert server.connections == 2


async def test_p7_a_request_on_a_fresh_connection_is_sent_once(transport):
    """A provider that hangs up on a new connection may have begun: it is not asked again."""
    async with ScriptedServer(answer(b""), answer(COMPLETE)) as server:
        with pytest.raises(ProviderError) as caught:
            await open_at(transport, server.url)
        assert caught.value.code == "provider_unreachable"
        assert len(server.requests) == 1


async def test_p7_a_connection_that_ends_late_is_not_a_stale_one(transport, monkeypatch):
    """A provider that took its time before it hung up may have begun: it is not asked again."""
    monkeypatch.setattr(http, "STALE_WITHIN_S", 0.0)
    async with ScriptedServer(goes_stale, answer(COMPLETE)) as server:
        await read_to_end(await open_at(transport, server.url))
        with pytest.raises(ProviderError):
            await open_at(transport, server.url)
        assert server.connections == 1


async def test_p7_a_response_that_had_begun_is_not_asked_for_again(transport):
    """Half a response's head shows that the provider took the request up."""

    async def play(exchange):
        await exchange.request()
        await exchange.send(COMPLETE)
        await exchange.request()
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-")

    async with ScriptedServer(play, answer(COMPLETE)) as server:
        await read_to_end(await open_at(transport, server.url))
        with pytest.raises(ProviderError):
            await open_at(transport, server.url)
        assert server.connections == 1


async def test_nobody_there_is_unreachable(transport):
    """A refused connection is `provider_unreachable`; the host is told to operators only."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ProviderError) as caught:
            await open_at(transport, f"http://127.0.0.1:{port}")
    assert caught.value.code == "provider_unreachable"
    assert caught.value.is_retryable
    assert str(port) not in str(caught.value)
    assert str(port) in caught.value.detail


async def test_an_unknown_host_is_unreachable(transport):
    """A name that is not found is `provider_unreachable`, and the message says so."""
    with pytest.raises(ProviderError, match="host name was not found") as caught:
        await open_at(transport, "http://nobody.invalid")
    assert caught.value.code == "provider_unreachable"


async def test_a_connection_that_does_not_come_about_has_a_limit():
    """A peer that accepts and then says nothing of TLS is given up."""

    async def play(exchange):
        await exchange.closed_by_client()

    async with HttpTransport(connect_timeout_s=0.05) as transport, ScriptedServer(play) as server:
        with pytest.raises(ProviderError, match="in time") as caught:
            await open_at(transport, server.url.replace("http:", "https:"))
    assert caught.value.code == "provider_unreachable"
    assert caught.value.is_retryable


async def test_a_private_ca_is_trusted_when_it_is_named(tmp_path):
    """The path of a CA bundle is enough for an endpoint with a private certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    _, server_side = tls_contexts(authority)
    bundle = str(tmp_path / "ca.pem")
    async with (
        HttpTransport(tls=bundle) as transport,
        ScriptedServer(answer(COMPLETE), tls=server_side) as server,
    ):
        assert await read_to_end(await open_at(transport, server.url)) == b"data: a\n\n"


async def test_a_certificate_of_a_stranger_is_refused(transport):
    """The key is not sent to a server that can't prove its name; trying again won't help."""
    _, server_side = tls_contexts()
    async with ScriptedServer(answer(COMPLETE), tls=server_side) as server:
        with pytest.raises(ProviderError, match="certificate") as caught:
            await open_at(transport, server.url)
        assert server.requests == []
    assert caught.value.code == "provider_unreachable"
    assert not caught.value.is_retryable


def test_a_missing_ca_bundle_is_told_at_once():
    """A path that holds no CA bundle is a wrong setting."""
    with pytest.raises(ConfigurationError, match=r"no/such/ca\.pem"):
        HttpTransport(tls="no/such/ca.pem")


async def test_a_redirect_is_not_followed(transport):
    """The key stays with the host that it was meant for."""
    async with ScriptedServer(answer(COMPLETE)) as elsewhere:
        redirect = response("307 Temporary Redirect", b"", f"Location: {elsewhere.url}/")
        error = await refusal(transport, answer(redirect))
        assert elsewhere.requests == []
    assert error.code == "provider_rejected"
    assert error.status == 307


async def test_p10_a_refusal_keeps_the_providers_words_for_operators(transport):
    """The message is ours; the body is in `detail`, without the key."""
    body = b'{"error":{"message":"Incorrect API key provided: %b (org-7)"}}' % KEY.encode()
    head = response("401 Unauthorized", body, "Content-Type: application/json")
    error = await refusal(transport, answer(head))
    assert error.code == "provider_rejected"
    assert error.status == 401
    assert "org-7" not in str(error)
    assert "org-7" in error.detail
    assert KEY not in error.detail
    assert "[redacted]" in error.detail


async def test_p10_an_error_shows_no_key_to_a_debugger(transport):
    """No exception that is chained to ours shows the request's headers."""
    error = await refusal(transport, answer(b"SSH-2.0-OpenSSH\r\n"))
    assert error.code == "malformed"
    assert KEY not in repr(error.__cause__)


async def test_a_refusals_body_is_read_within_bounds():
    """Of a refusal of any size the beginning is read, and no more is waited for."""

    async def play(exchange):
        await exchange.request()
        await exchange.send(response("500 Oops", b"x" * 200_000).replace(b"200000", b"1000000"))
        await exchange.closed_by_client()

    async with HttpTransport(error_body_timeout_s=3600) as transport:
        error = await refusal(transport, play)
    assert error.code == "provider_failed"
    assert len(error.detail) == 2000


async def test_a_refusal_whose_body_does_not_end_is_still_told():
    """What of the body came within its time is the detail."""

    async def play(exchange):
        await exchange.request()
        await exchange.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nso far")
        await exchange.closed_by_client()

    async with HttpTransport(error_body_timeout_s=0.05) as transport:
        error = await refusal(transport, play)
    assert error.code == "provider_failed"
    assert error.detail == "so far"


async def test_a_refusals_connection_is_used_again(transport):
    """A refusal that was read whole leaves its connection for the next request."""

    async def play(exchange):
        await exchange.request()
        await exchange.send(response("429 Too Many Requests", b"{}"))
        await exchange.request()
        await exchange.send(COMPLETE)

    async with ScriptedServer(play) as server:
        with pytest.raises(ProviderError):
            await open_at(transport, server.url)
        await read_to_end(await open_at(transport, server.url))
        assert server.connections == 1


@pytest.mark.parametrize(
    "content_type",
    [
        "Content-Type: text/event-stream; charset=utf-8",
        "Content-Type: Text/Event-Stream",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: application/octet-stream",
        "X-Nothing: said",
    ],
)
async def test_a_stream_is_taken_under_the_types_that_servers_give_it(transport, content_type):
    """Servers that leave the type out, or send a default one, are understood."""
    script = answer(response("200 OK", b"data: a\n\n", content_type))
    async with ScriptedServer(script) as server:
        assert await read_to_end(await open_at(transport, server.url)) == b"data: a\n\n"


@pytest.mark.parametrize("kind", ["text/html", "application/json", "application/x-ndjson"])
async def test_what_is_no_stream_of_events_is_malformed(transport, kind):
    """A page or a document in the place of events is an error that names its type."""
    error = await refusal(transport, answer(response("200 OK", b"<p>", f"Content-Type: {kind}")))
    assert error.code == "malformed"
    assert kind in str(error)
    assert error.detail == "<p>"


async def test_no_cookie_is_kept(transport):
    """What a provider sets for one answer is not sent with the next."""
    first = response("200 OK", b"", "Content-Type: text/event-stream", "Set-Cookie: a=b")
    async with ScriptedServer(answer(first), answer(COMPLETE)) as server:
        await read_to_end(await open_at(transport, server.url))
        await read_to_end(await open_at(transport, server.url))
        assert "cookie" not in server.requests[1].headers


async def test_more_answers_than_any_pool_run_at_once(transport):
    """The number of runs is not limited by a pool of connections."""
    count = 120
    all_here = asyncio.Event()

    async def play(exchange):
        await exchange.request()
        if len(exchange.server.requests) == count:
            all_here.set()
        await all_here.wait()
        await exchange.send(COMPLETE)

    async with ScriptedServer(play) as server:
        streams = await asyncio.gather(*(open_at(transport, server.url) for _ in range(count)))
        assert [b"data: a\n\n"] * count == [await read_to_end(stream) for stream in streams]


async def test_loopback_is_reached_without_the_environments_proxy(transport, monkeypatch):
    """A proxy in the environment is not asked for what runs on this machine."""
    async with ScriptedServer(answer(b"")) as proxy, ScriptedServer(answer(COMPLETE)) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        await read_to_end(await open_at(transport, server.url))
        assert proxy.requests == []


async def test_the_environments_proxy_is_used(transport, monkeypatch):
    """A provider elsewhere is called by way of the proxy that the environment names."""
    async with ScriptedServer(answer(COMPLETE)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        await read_to_end(await open_at(transport, "http://provider.invalid"))
        assert proxy.requests[0].line == "POST http://provider.invalid/chat HTTP/1.1"


def test_a_transport_belongs_to_one_event_loop():
    """Use from a second loop is an error that says what to do; after `close`, it is fine."""

    async def use(transport, *, is_closed_after):
        async with ScriptedServer(answer(COMPLETE)) as server:
            await read_to_end(await open_at(transport, server.url))
        if is_closed_after:
            await transport.close()

    transport = HttpTransport()
    asyncio.run(use(transport, is_closed_after=True))
    with asyncio.Runner() as first:
        first.run(use(transport, is_closed_after=False))
        with (
            asyncio.Runner() as second,
            pytest.raises(ConfigurationError, match="another event loop"),
        ):
            second.run(use(transport, is_closed_after=False))
        first.run(transport.close())


async def gone(stream):
    """Wait until the connection under a stream is lost."""
    if stream._lost is not None:
        await asyncio.wait([stream._lost])


def tls_contexts(authority=None):
    """Return a client's context that trusts a private CA, and the server's."""
    authority = authority or trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    return client, server


async def test_a_stream_that_is_there_already_is_only_asked_for():
    """Without a body it is a GET, and says nothing of JSON."""
    async with (
        ScriptedServer(answer(CHUNKED_HEAD + chunk(b"data: a\n\n") + LAST_CHUNK)) as server,
        HttpTransport() as transport,
    ):
        stream = await transport.open_stream(f"{server.url}/x?a=1", headers={"a": "b"}, body=None)
        assert b"data: a\n\n" == await stream.read()
        assert b"" == await stream.read()
        stream.close()
        [request] = server.requests
    assert "GET /x?a=1 HTTP/1.1" == request.line
    assert "b" == request.headers["a"]
    assert "content-type" not in request.headers
    assert "content-length" not in request.headers


async def test_a_post_of_nothing_is_done_when_its_status_is_good():
    """The answer's body is not looked at, and its connection is used again."""

    async def twice(exchange):
        for _ in range(2):
            await exchange.request()
            await exchange.send(response("200 OK", b"whatever", "Content-Type: application/json"))

    async with ScriptedServer(twice) as server, HttpTransport() as transport:
        for _ in range(2):
            await transport.post(f"{server.url}/cancel", headers={"a": "b"})
        assert 1 == server.connections
        assert {"POST /cancel HTTP/1.1"} == {each.line for each in server.requests}
        assert {"0"} == {each.headers["content-length"] for each in server.requests}


async def test_a_post_that_is_refused_says_why():
    """With status, and the key blotted out of the provider's words."""
    body = b'{"error":{"message":"no sk-1 here"}}'
    async with (
        ScriptedServer(answer(response("404 No", body, "Connection: close"))) as server,
        HttpTransport() as transport,
    ):
        with pytest.raises(ProviderError) as caught:
            await transport.post(server.url, headers={"Authorization": "Bearer sk-1"})
    assert (404, "provider_rejected") == (caught.value.status, caught.value.code)
    assert "sk-1" not in caught.value.detail
