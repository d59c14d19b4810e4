"""A server is killed in the middle of an answer, and started again on the same log."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys

import aiohttp
import pytest

from tickertape.client.reader import async_start_run
from tickertape.core.errors import RunFailed
from tickertape.core.request import ChatRequest, Message
from tickertape.testing.answers import Answer
from tickertape.testing.faults import Faults, Stall
from tickertape.testing.scenarios import Turn

SCRIPT = """
import os, sys
from tickertape.web.serve import ServeSettings, serve
serve(
    ServeSettings(port=int(sys.argv[1]), log=sys.argv[2]),
    environment=os.environ,
    on_ready=lambda url: print(url, flush=True),
)
"""
QUESTION = {"messages": [{"role": "user", "content": "Hi"}], "model": "openai/m"}
ANSWER = Answer(text="one two three four")


@pytest.fixture
async def start(fault_server, tmp_path):
    """Return a function that starts the server: always the same port, and the same log."""
    fault_server.play(Turn(answer=ANSWER, faults=Faults(failure=Stall(after_chunks=4))))
    processes = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def start():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SCRIPT, str(port), f"sqlite:{tmp_path}/log.db",
            env={**os.environ, **fault_server.openai_environment},
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        url = (await process.stdout.readline()).decode().strip()
        assert f"http://127.0.0.1:{port}" == url
        return process, url

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()
        process._transport.close()


async def read_until_cut(response):
    """Return the rest of what came; it must not end as if it were whole."""
    received = b""
    try:
        while more := await response.content.readany():
            received += more
    except aiohttp.ClientPayloadError:
        response.close()
        return received
    raise AssertionError("the response ended well")


def text_of(blocks):
    """Return the text in a stream's bytes."""
    payloads = [json.loads(line) for line in re.findall(rb"^data: ({.*})$", blocks, re.MULTILINE)]
    return "".join(payload.get("content", "") for payload in payloads)


async def kill(process):
    process.kill()
    await process.wait()


async def test_p8_p5_a_reader_resumes_after_kill_9_and_is_told_the_truth(start, fault_server):
    """The text so far, from its cursor on, then `producer_lost`: exactly once, and no hang."""
    process, url = await start()
    async with aiohttp.ClientSession() as session:
        key = {"Idempotency-Key": "k"}
        response = await session.post(f"{url}/chat/stream", json=QUESTION, headers=key)
        place = url + response.headers["location"]
        received = b""
        while b'"content"' not in received:
            received += await response.content.readany()
        await (await fault_server.next_exchange()).stalled()
        await kill(process)
        received += await read_until_cut(response)
        response.close()
        received = received[: received.rindex(b"\n\n") + 2]

        process, url = await start()
        async with session.get(place, headers={"Accept": "application/json"}) as described:
            document = await described.json()
        text = document["content"]
        assert ("producer_lost", len(text)) == (document["code"], document["length"])
        assert text
        assert ANSWER.text.startswith(text)
        for already in (received, b'id: 0\ndata: {"run_id":"r"}\n\n'):
            cursor = already.split(b"\n\n")[-2].partition(b"\n")[0].removeprefix(b"id: ")
            async with session.get(place, headers={"Last-Event-ID": cursor.decode()}) as resumed:
                rest = await resumed.read()
            assert text == text_of(already) + text_of(rest)
            *_, ended, done = rest.split(b"\n\n")[:-1]
            assert b'"code":"producer_lost","retryable":true,"outcome":"failed"' in ended
            assert b"data: [DONE]" == done
        # P7: who was not sure whether the first start arrived gets that run, and no second bill.
        async with session.post(f"{url}/chat/stream", json=QUESTION, headers=key) as joined:
            assert place.endswith(joined.headers["location"])


async def test_p1_a_client_of_ours_reconnects_by_itself(start, fault_server):
    """Its reader gets each piece once, and the error that holds them all."""
    process, url = await start()
    request = ChatRequest(messages=[Message(role="user", content="Hi")], model="openai/m")
    texts = []

    async def read():
        async with async_start_run(url, request) as stream:
            async for text in stream:
                texts.append(text)
                is_reading.set()

    is_reading = asyncio.Event()
    reader = asyncio.ensure_future(read())
    exchange = await fault_server.next_exchange()
    await exchange.stalled()
    await is_reading.wait()
    await kill(process)
    await start()
    with pytest.raises(RunFailed, match="producer_lost") as failed:
        await reader
    assert "".join(texts) == failed.value.partial_text
    assert ANSWER.text.startswith("".join(texts))
    assert texts
    assert 1 == len(fault_server.requests)
