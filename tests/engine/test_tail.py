"""A subscriber gets every record after its cursor, once, in order."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.errors import CursorBeyondEnd
from tickertape.core.events import RunEnded, RunStarted, TextDelta, Timings
from tickertape.core.record import BEGINNING
from tickertape.engine.tail import READ_LIMIT, Tail
from tickertape.logs.memory import MemoryLog

pytestmark = pytest.mark.virtual_time

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=0.0)
ENDED = RunEnded(
    outcome="completed", length=0, timings=Timings(first_progress_s=None, duration_s=0)
)


@pytest.fixture
async def log():
    log = MemoryLog(now=lambda: 0.0)
    await log.create(STARTED)
    return log


async def everything(tail):
    """Return what a reader sees up to the end: (offset, event), heartbeats left out."""
    seen = []
    while not tail.is_over:
        seen += [(record.offset, record.event) for record in await tail.next()]
    return seen


async def test_replay_merges_what_had_to_wait(log):
    """Catching up on many tokens is a few large events, with the last one's offset."""
    await log.append("r", [TextDelta("a"), TextDelta("b"), TextDelta("c"), ENDED], epoch=1)
    assert [(0, STARTED), (3, TextDelta("abc")), (4, ENDED)] == await everything(Tail(log, "r"))


async def test_p1_any_cursor_gives_exactly_the_rest(log):
    """Whatever offset a reader stopped at, nothing is lost or repeated."""
    await log.append("r", [TextDelta(letter) for letter in "abcdef"], epoch=1)
    await log.append("r", [ENDED], epoch=1)
    for after in range(BEGINNING, 7):
        rest = [event for _, event in await everything(Tail(log, "r", after=after))]
        text = "".join(event.text for event in rest if isinstance(event, TextDelta))
        assert "abcdef"[max(after, 0) :] == text
        assert ENDED == rest[-1]


async def test_p1_a_reader_that_joins_late_sees_every_event_once(log):
    """Replay and following meet without a gap and without a repeat."""
    await log.append("r", [TextDelta("a")], epoch=1)
    reading = asyncio.ensure_future(everything(Tail(log, "r")))
    for letter in "bcdef":
        await asyncio.sleep(0)
        await log.append("r", [TextDelta(letter)], epoch=1)
    await log.append("r", [ENDED], epoch=1)
    seen = await reading
    assert "abcdef" == "".join(e.text for _, e in seen if isinstance(e, TextDelta))
    assert 7 == seen[-1][0]


async def test_more_than_one_read_holds_is_read_to_the_end(log):
    """A reader far behind reads in bounded steps, and misses nothing."""
    await log.append("r", [TextDelta("x")] * (READ_LIMIT * 3 + 1), epoch=1)
    await log.append("r", [ENDED], epoch=1)
    seen = await everything(Tail(log, "r"))
    assert READ_LIMIT * 3 + 1 == sum(len(e.text) for _, e in seen if isinstance(e, TextDelta))
    assert READ_LIMIT * 3 + 2 == seen[-1][0]


async def test_p6_a_reader_that_does_not_pull_holds_nothing(log):
    """Ten thousand appends leave a waiting subscriber one wake-up and no queue."""
    tail = Tail(log, "r")
    await tail.next()
    for _ in range(10_000):
        await log.append("r", [TextDelta("x")], epoch=1)
    held = [value for value in vars(tail).values() if isinstance(value, list | dict | bytes | str)]
    assert ["r"] == held
    assert 0 == tail.cursor
    tail.close()


async def test_a_quiet_log_gives_a_heartbeat(log):
    """An empty batch says: nothing new, and the connection may want a sign of life."""
    tail = Tail(log, "r", heartbeat_s=15)
    await tail.next()
    loop = asyncio.get_running_loop()
    assert ((), 15.0) == (await tail.next(), loop.time())
    assert ((), 30.0) == (await tail.next(), loop.time())
    tail.close()


async def test_text_puts_the_heartbeat_off(log):
    """The quiet counts from the last batch, not from the start."""
    tail = Tail(log, "r", heartbeat_s=15)
    loop = asyncio.get_running_loop()
    await tail.next()
    loop.call_later(10, lambda: asyncio.ensure_future(log.append("r", [TextDelta("a")], epoch=1)))
    assert [1] == [record.offset for record in await tail.next()]
    assert ((), 25.0) == (await tail.next(), loop.time())
    tail.close()


async def test_closing_ends_a_waiting_pull(log):
    """A reader that leaves is not waited for."""
    tail = Tail(log, "r")
    await tail.next()
    waiting = asyncio.ensure_future(tail.next())
    await asyncio.sleep(0)
    tail.close()
    assert () == await waiting
    assert tail.is_over


async def test_a_cursor_from_the_future_is_an_error(log):
    """A reader can't have seen what was never written."""
    tail = Tail(log, "r", after=7)
    with pytest.raises(CursorBeyondEnd, match="cursor 7 .* end offset is 1"):
        await tail.next()
    tail.close()


async def test_a_closed_tail_leaves_no_watch_and_no_timer(log):
    """Ten thousand readers come and go without a trace."""
    before = len(log._runs["r"].wakes)
    for _ in range(10):
        async with Tail(log, "r") as tail:
            await tail.next()
    assert before == len(log._runs["r"].wakes)
    assert tail._timer.cancelled()
