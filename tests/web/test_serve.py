"""`serve` in a process of its own: it drains on a signal, and leaves nothing behind."""

from __future__ import annotations

import signal

import aiohttp
import pytest

from tests.web.serve_process import serve_processes
from tickertape.testing.answers import Answer
from tickertape.testing.faults import Faults, Stall

QUESTION = {"messages": [{"role": "user", "content": "Hi"}], "model": "openai/m"}


@pytest.fixture
async def start(fault_server, tmp_path):
    """Return a function that starts a server with settings; its provider is the fault server."""
    async with serve_processes(fault_server, tmp_path) as start:
        yield start


async def ask(session, url):
    return await session.post(f"{url}/chat/stream", json=QUESTION)


async def first_text(response):
    received = b""
    while b'"content"' not in received:
        received += await response.content.readany()
    return received


async def test_a_running_answer_may_finish_after_sigterm(start, fault_server):
    """The reader gets all of it, new runs are refused meanwhile, and the exit is clean."""
    fault_server.play(Faults(failure=Stall(after_chunks=4)), Answer(text="one two three four"))
    process, url = await start(drain_s=30)
    async with aiohttp.ClientSession() as session:
        response = await ask(session, url)
        received = await first_text(response)
        exchange = await fault_server.next_exchange()
        process.send_signal(signal.SIGTERM)
        while (await session.get(f"{url}/readyz")).status == 200:
            pass
        refused = await ask(session, url)
        assert (503, "busy") == (refused.status, (await refused.json())["error"]["code"])
        exchange.resume()
        received += await response.read()
    assert b'"outcome":"completed"' in received
    assert received.endswith(b"data: [DONE]\n\n")
    assert 0 == await process.wait()


@pytest.mark.parametrize("how", ["no time to drain", "a second signal"])
async def test_what_takes_too_long_is_ended_and_its_reader_told(start, fault_server, how):
    """No reader hangs, the provider's connection is closed, the exit is clean."""
    fault_server.play(Faults(failure=Stall(after_chunks=4)), Answer(text="one two three four"))
    process, url = await start(drain_s=0 if how == "no time to drain" else 3600)
    async with aiohttp.ClientSession() as session:
        response = await ask(session, url)
        received = await first_text(response)
        exchange = await fault_server.next_exchange()
        process.send_signal(signal.SIGINT)
        if how == "a second signal":
            while (await session.get(f"{url}/readyz")).status == 200:
                pass
            process.send_signal(signal.SIGINT)
        received += await response.read()
    assert b'"outcome":"cancelled","cancelled_by":"shutdown"' in received
    await exchange.hung_up()
    assert 0 == await process.wait()


async def test_the_page_is_served_with_its_policy(start):
    """Nothing from elsewhere, no inline script; and the API is there under /api, too."""
    _, url = await start()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/") as response:
            assert (200, "text/html; charset=utf-8") == (
                response.status,
                response.headers["content-type"],
            )
            assert "default-src 'none'" in response.headers["content-security-policy"]
            assert "unsafe" not in response.headers["content-security-policy"]
        async with session.get(f"{url}/api/healthz") as response:
            assert 200 == response.status
        async with session.get(f"{url}/nowhere") as response:
            assert 404 == response.status
