"""A subscriber gets every record after its cursor, once, in order."""

from __future__ import annotations

import asyncio

import pytest

from tests.losing_log import LosingLog
from tickertape.core.cursor import Cursor
from tickertape.core.errors import CursorBeyondEnd, RecordsLost
from tickertape.core.events import RunEnded, RunStarted, TextDelta, Timings
from tickertape.core.record import BEGINNING
from tickertape.engine.tail import READ_LIMIT, Tail, check_cursor, read_on

pytestmark = pytest.mark.virtual_time

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=0.0)
ENDED = RunEnded(
    outcome="completed", length=0, timings=Timings(first_progress_s=None, duration_s=0)
)


@pytest.fixture
async def log():
    log = LosingLog(now=lambda: 0.0)
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
        rest = [event for _, event in await everything(Tail(log, "r", after=Cursor(after)))]
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
    assert Cursor(0) == tail.cursor
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


async def test_a_tail_that_finishes_returns_what_is_there_and_waits_for_no_more(log):
    """However much there is to read: its reader goes on from there in another process."""
    await log.append("r", [TextDelta("x")] * (READ_LIMIT + 1), epoch=1)
    behind, waiting = Tail(log, "r"), Tail(log, "r", after=Cursor(READ_LIMIT + 1))
    pulled = asyncio.ensure_future(waiting.next())
    await asyncio.sleep(0)
    behind.finish()
    waiting.finish()
    seen = await everything(behind)
    assert READ_LIMIT + 1 == sum(len(e.text) for _, e in seen if isinstance(e, TextDelta))
    assert () == await pulled
    assert waiting.is_over


async def test_a_cursor_from_the_future_is_an_error(log):
    """A reader can't have seen what was never written."""
    head = await log.head("r")
    with pytest.raises(CursorBeyondEnd, match="cursor 7 .* end offset is 1"):
        await check_cursor(log, head, Cursor(7))


async def test_a_closed_tail_leaves_no_watch_and_no_timer(log):
    """Ten thousand readers come and go without a trace."""
    before = len(log._runs["r"].wakes)
    for _ in range(10):
        async with Tail(log, "r") as tail:
            await tail.next()
    assert before == len(log._runs["r"].wakes)
    assert tail._timer.cancelled()


# ---- A log that loses records -----------------------------------------------

TEXT = [TextDelta(letter) for letter in "abcdef"]  # at the offsets 1 to 6
OTHER = [TextDelta(letter) for letter in "ABC"]


async def text_to_the_end(tail):
    """Return the text that a tail gives from where it is."""
    seen = await everything(tail)
    return "".join(event.text for _, event in seen if isinstance(event, TextDelta))


@pytest.mark.parametrize("end_offset", [1, 3, 5, 6])
@pytest.mark.parametrize("others", range(4))
async def test_p1_a_live_reader_is_told_of_records_that_were_lost(log, end_offset, others):
    """Whether the other history is shorter than what it has read, as long, or longer."""
    await log.append("r", TEXT, epoch=1)
    tail = Tail(log, "r")
    await tail.next()
    assert Cursor(6) == tail.cursor
    log.lose("r", end_offset=end_offset)
    await log.replace("r", [*OTHER[:others], ENDED])
    for _ in range(2):  # and again, if it does not listen
        with pytest.raises(RecordsLost, match="'r'"):
            await tail.next()
    assert Cursor(6) == tail.cursor
    tail.close()


async def test_p1_a_live_reader_is_told_as_soon_as_there_is_something_to_read(log):
    """Also where the other writer goes on, record by record."""
    await log.append("r", TEXT, epoch=1)
    tail = Tail(log, "r")
    await tail.next()
    log.lose("r", end_offset=6)
    epoch = await log.replace("r", [TextDelta("F")])
    assert () == await tail.next()  # as many records as before: nothing to read, nothing shown
    await log.append("r", [TextDelta("G")], epoch=epoch)
    with pytest.raises(RecordsLost):
        await tail.next()
    tail.close()


@pytest.mark.parametrize("after", [-1, 0, 2])
async def test_p1_a_live_reader_below_the_loss_goes_on(log, after):
    """What it has read is what the others continue."""
    await log.append("r", TEXT[:2], epoch=1)
    tail = Tail(log, "r", after=Cursor(after))
    if after < 2:
        await tail.next()
    await log.append("r", TEXT[2:], epoch=1)
    log.lose("r", end_offset=3)
    await log.replace("r", [*OTHER, ENDED])
    assert "ABC" == await text_to_the_end(tail)


@pytest.mark.parametrize("after", range(-1, 3))
async def test_p1_a_reader_that_resumes_below_the_loss_goes_on(log, after):
    """It gets the rest of the one history that there is."""
    await log.append("r", TEXT, epoch=1)
    log.lose("r", end_offset=3)
    await log.replace("r", [*OTHER, ENDED])
    await check_cursor(log, await log.head("r"), Cursor(after))
    assert "abABC"[max(after, 0) :] == await text_to_the_end(Tail(log, "r", after=Cursor(after)))


@pytest.mark.parametrize("after", range(3, 9))
async def test_p1_a_reader_that_resumes_at_or_above_the_loss_is_told(log, after):
    """Before it gets anything, and by the tail too, should the loss come in between."""
    await log.append("r", [*TEXT, TextDelta("g"), TextDelta("h")], epoch=1)
    log.lose("r", end_offset=3)
    await log.replace("r", [*OTHER, ENDED])  # up to the offset 6
    with pytest.raises(RecordsLost):
        await check_cursor(log, await log.head("r"), Cursor(after))
    tail = Tail(log, "r", after=Cursor(after))
    with pytest.raises(RecordsLost):
        await tail.next()
    tail.close()


@pytest.mark.parametrize("after", range(3, 7))
async def test_p1_a_reader_of_the_other_history_goes_on(log, after):
    """Its cursor says which one it has read."""
    await log.append("r", TEXT, epoch=1)
    log.lose("r", end_offset=3)
    epoch = await log.replace("r", [*OTHER, ENDED])
    cursor = Cursor(after, epoch)
    await check_cursor(log, await log.head("r"), cursor)
    assert "ABC"[after - 2 :] == await text_to_the_end(Tail(log, "r", after=cursor))


async def test_p1_a_reader_of_lost_records_is_told_before_the_run_is_taken_over(log):
    """What it claims was there, though the run's only epoch can't show it."""
    await log.append("r", TEXT, epoch=1)
    tail = Tail(log, "r")
    await tail.next()
    log.lose("r", end_offset=3)
    tail._wake()
    with pytest.raises(RecordsLost):
        await tail.next()
    tail.close()


async def test_a_take_over_that_lost_nothing_interrupts_nobody(log):
    """The record at the cursor is looked at once, and reading goes on."""
    await log.append("r", TEXT, epoch=1)
    tail = Tail(log, "r")
    await tail.next()
    await log.replace("r", OTHER)
    assert [(9, 2)] == [(record.offset, record.epoch) for record in await tail.next()]
    await log.replace("r", [ENDED])
    assert [(10, 3)] == [(record.offset, record.epoch) for record in await tail.next()]
    assert (Cursor(10, 3), True) == (tail.cursor, tail.is_over)


async def test_as_long_as_the_epoch_stays_nothing_is_looked_up(log, monkeypatch):
    """A run that nobody takes over costs its readers one read for each wake-up."""
    reads = []
    read = log.read

    async def counted(run_id, *, after, limit):
        reads.append(after)
        return await read(run_id, after=after, limit=limit)

    monkeypatch.setattr(log, "read", counted)
    await check_cursor(log, await log.head("r"), Cursor(0))
    tail = Tail(log, "r", after=Cursor(0))
    for event in [*TEXT, ENDED]:
        await log.append("r", [event], epoch=1)
        await tail.next()
    assert list(range(7)) == reads


async def test_who_reads_in_steps_is_told_between_two_of_them(log):
    """Pages of two histories are never put together."""
    await log.append("r", [*TEXT, *TEXT], epoch=1)
    log.lose("r", end_offset=6)
    with pytest.raises(RecordsLost):
        await read_on(log, "r", after=Cursor(12))
    await log.replace("r", [*OTHER, ENDED])
    with pytest.raises(RecordsLost):
        await read_on(log, "r", after=Cursor(6))
    assert 4 == len((await read_on(log, "r", after=Cursor(5))).records)


async def test_a_read_that_was_cancelled_or_failed_is_made_up_for(log, monkeypatch):
    """What was there to read does not wait for the next append."""
    tail = Tail(log, "r")
    with monkeypatch.context() as broken:

        async def never(run_id, *, after, limit):
            await asyncio.Event().wait()

        broken.setattr(log, "read", never)
        reading = asyncio.ensure_future(tail.next())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert [0] == [record.offset for record in await tail.next()]
    tail.close()
