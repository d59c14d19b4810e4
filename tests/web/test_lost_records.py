"""A log loses records that readers have had: each is told, over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import json

import aiohttp
import pytest

from tickertape.client.reader import async_tail_run
from tickertape.core.cursor import Cursor
from tickertape.core.errors import RecordsLost
from tickertape.core.events import RunEnded, TextDelta, Timings
from tickertape.core.retry import Backoff
from tickertape.core.sse import SseDecoder

OTHER = [
    TextDelta("B"),
    TextDelta("C"),
    RunEnded(outcome="completed", length=3, timings=Timings(first_progress_s=None, duration_s=0)),
]
AT_ONCE = Backoff(first_s=0, longest_s=0, max_retries=3)


async def start(server, text="abc"):
    """Start a run that has written this text, one record for each letter; return its id."""
    async with server.start(headers={"Prefer": "respond-async"}) as response:
        run_id = (await response.json())["run_id"]
    async with await server.engine.tail(run_id) as tail:
        for letter in text:
            offset = tail.cursor.offset
            server.provider.stream.send(letter)
            while tail.cursor.offset in (offset, -1):
                await tail.next()
    return run_id


async def lose_all_but_the_first_letter(server, run_id):
    """Put "BC" and an end in the place of "bc", as another process that took the run over."""
    server.engine.log.lose(run_id, end_offset=2)
    await server.engine.log.replace(run_id, OTHER)


async def blocks_of(response):
    return [(block.id, block.data) for block in SseDecoder().feed(await response.read())]


async def until(response, words):
    received = b""
    while words not in received:
        received += await response.content.readany()
    return received


async def test_p1_a_feed_is_broken_off_where_its_records_are_lost(server):
    """Nothing of the other history, and no `[DONE]`; to resume is a conflict, and says so."""
    run_id = await start(server)
    async with server.tail(run_id) as response:
        received = await until(response, b'c"}')
        await lose_all_but_the_first_letter(server, run_id)
        with contextlib.suppress(aiohttp.ClientPayloadError):
            while more := await response.content.readany():
                received += more
    assert b'content":"B' not in received
    assert b"DONE" not in received
    last = SseDecoder().feed(received)[-1].id
    async with server.tail(run_id, headers={"Last-Event-ID": last}) as response:
        error = (await response.json())["error"]
        assert (409, "records_lost") == (response.status, error["code"])
        assert "from the beginning" in error["message"]
        assert "false" == response.headers["x-should-retry"]


async def test_p1_what_took_the_lost_records_place_can_be_read_and_resumed(server):
    """By its own ids, which tell it from what was there before."""
    run_id = await start(server)
    await lose_all_but_the_first_letter(server, run_id)
    async with server.tail(run_id) as response:
        blocks = await blocks_of(response)
    assert ["0", "1", "3.2", "4.2"] == [block[0] for block in blocks[:-1]]
    assert {"content": "BC"} == json.loads(blocks[2][1])
    for after, first in {"1": "3.2", "2.2": "3.2", "3.2": "4.2"}.items():
        async with server.tail(run_id, params={"after": after}) as response:
            assert first == (await blocks_of(response))[0][0]
    async with server.tail(run_id, params={"after": "4.2"}) as response:
        assert 204 == response.status


@pytest.mark.parametrize("after", ["2", "3", "4", "5", "1.2", "4.3"])
async def test_p1_every_other_cursor_is_a_conflict(server, after):
    """Below, at and above the end of what is there now; never 204, never other text."""
    run_id = await start(server, "abcde")
    await lose_all_but_the_first_letter(server, run_id)
    async with server.tail(run_id, params={"after": after}) as response:
        assert (409, "records_lost") == (response.status, (await response.json())["error"]["code"])


async def test_the_documents_cursor_is_an_id(server):
    """A text, since 4.10 and 4.1 are two."""
    run_id = await start(server)
    async with server.tail(run_id, headers={"Accept": "application/json"}) as response:
        assert "3" == (await response.json())["cursor"]
    await lose_all_but_the_first_letter(server, run_id)
    async with server.tail(run_id, headers={"Accept": "application/json"}) as response:
        document = await response.json()
    assert ("4.2", "aBC") == (document["cursor"], document["content"])


async def test_p1_our_reader_is_told_and_keeps_what_it_had(server):
    """It does not go on by itself: only its caller knows what was done with the text."""
    run_id = await start(server)
    async with async_tail_run(server.url, run_id, backoff=AT_ONCE) as stream:
        text = await anext(stream)
        while text != "abc":
            text += await anext(stream)
        await lose_all_but_the_first_letter(server, run_id)
        with pytest.raises(RecordsLost, match="from the beginning") as caught:
            await anext(stream)
    assert ("abc", run_id) == (caught.value.partial_text, caught.value.run_id)
    again = async_tail_run(server.url, run_id, backoff=AT_ONCE)
    assert "aBC" == "".join([text async for text in again])


async def test_p1_our_reader_below_the_loss_goes_on(server):
    """Its record is still there, and the rest is one history."""
    run_id = await start(server)
    await lose_all_but_the_first_letter(server, run_id)
    stream = async_tail_run(server.url, run_id, after=1, backoff=AT_ONCE)
    assert "BC" == "".join([text async for text in stream])


@pytest.mark.parametrize("after", [Cursor(4, 2), "4.2"])
async def test_our_reader_at_the_very_end_learns_how_the_run_ended(server, after):
    """Though a taken over run's last record may be its writer's only one."""
    run_id = await start(server)
    await lose_all_but_the_first_letter(server, run_id)
    stream = async_tail_run(server.url, run_id, after=after, backoff=AT_ONCE)
    assert "" == "".join([text async for text in stream])
    assert "completed" == stream.response.outcome


async def test_p1_our_reader_is_told_while_nobody_has_taken_the_run_over(server):
    """The server can't know what it has lost; the reader knows what it has had."""
    run_id = await start(server)
    async with async_tail_run(server.url, run_id, backoff=AT_ONCE) as stream:
        text = await anext(stream)
        while text != "abc":
            text += await anext(stream)
        server.engine.log.lose(run_id, end_offset=2)
        reading = asyncio.ensure_future(anext(stream))
        async with server.tail(run_id, params={"after": "3"}) as response:
            assert (400, "cursor_beyond_end") == (
                response.status,
                (await response.json())["error"]["code"],
            )
        for wake in list(server.engine.log._runs[run_id].wakes.values()):
            wake()
        with pytest.raises(RecordsLost):
            await reading
