"""HTTP to a server of ours: what statuses mean, and what can be tried again."""

from __future__ import annotations

import asyncio

import pytest

from tests.client.wire_server import Reply, WireServer
from tickertape.client.http import Interrupted, ServerSession
from tickertape.core.errors import ConfigurationError, InvalidRequest, ProtocolError

JSON = {"Content-Type": "application/json"}


async def test_headers_go_with_every_request():
    """What the application signs its users in with; none is compressed, all ask for events."""
    async with (
        WireServer(Reply(b"x")) as server,
        ServerSession(f"{server.url}/", headers={"Authorization": "me"}) as session,
    ):
        reply = await session.open("GET", "/chat/stream/r", headers={"Last-Event-ID": "3"})
        reply.close()
        request = server.requests[0]
        assert "/chat/stream/r" == request.path
        wanted = {
            "authorization": "me",
            "last-event-id": "3",
            "accept": "text/event-stream",
            "accept-encoding": "identity",
        }
        assert wanted.items() <= request.headers.items()


async def test_a_large_body_is_sent_whole():
    """Without a warning that it is large."""
    body = b"x" * 2_000_000
    async with WireServer(Reply()) as server, ServerSession(server.url) as session:
        (await session.open("POST", "/", body=body)).close()
        assert body == server.requests[0].body


async def test_a_server_that_is_silent_for_too_long_is_gone():
    """A connection may die without a word: heartbeats are missing then (P5)."""
    async with (
        WireServer(Reply(b": hb\n", ending="hold")) as server,
        ServerSession(server.url, silence_timeout_s=0.05) as session,
    ):
        reply = await session.open("GET", "/")
        assert b": hb\n" == await reply.read()
        with pytest.raises(Interrupted):
            await reply.read()
        reply.close()


async def test_closing_ends_a_read_that_waits():
    """Another task closes."""
    async with (
        WireServer(Reply(b"x", ending="hold")) as server,
        ServerSession(server.url) as session,
    ):
        reply = await session.open("GET", "/")
        assert b"x" == await reply.read()
        waiting = asyncio.ensure_future(reply.read())
        await asyncio.sleep(0)
        reply.close()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.exception() is None or isinstance(waiting.exception(), Interrupted)


async def test_a_refusal_says_which_field_is_wrong():
    """In the server's words."""
    body = b'{"error":{"code":"invalid_request","message":"n must be 1","param":"n"}}'
    async with WireServer(Reply(body, 400, JSON)) as server, ServerSession(server.url) as session:
        with pytest.raises(InvalidRequest, match="n must be 1") as caught:
            await session.open("POST", "/")
        assert caught.value.param == "n"


async def test_a_server_without_a_model_is_not_asked_again():
    """Its 503 is not about now: somebody has to configure it."""
    body = b'{"error":{"code":"not_configured","message":"no model","param":null}}'
    async with WireServer(Reply(body, 503, JSON)) as server, ServerSession(server.url) as session:
        with pytest.raises(ConfigurationError, match="no model"):
            await session.open("POST", "/")


@pytest.mark.parametrize(
    ("value", "asked_s"), [("7", 7), ("", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0)]
)
async def test_a_server_can_ask_for_a_wait(value, asked_s):
    """In seconds; a date is not understood, and counts as none."""
    async with (
        WireServer(Reply(status=503, headers={"Retry-After": value})) as server,
        ServerSession(server.url) as session,
    ):
        with pytest.raises(Interrupted) as caught:
            await session.open("GET", "/")
    assert asked_s == caught.value.asked_s


async def test_a_page_of_html_is_no_stream():
    """Something else answers at this address."""
    async with (
        WireServer(Reply(b"<html>", headers={"Content-Type": "text/html"})) as server,
        ServerSession(server.url) as session,
    ):
        reply = await session.open("GET", "/")
        with pytest.raises(ProtocolError, match="text/html"):
            reply.require_events()
        reply.close()


async def test_redirects_are_not_followed():
    """They would carry credentials elsewhere; the error says where they lead."""
    async with (
        WireServer(Reply(status=307, headers={"Location": "https://x/"})) as server,
        ServerSession(server.url) as session,
    ):
        with pytest.raises(ConfigurationError, match="https://x/"):
            await session.open("GET", "/")
