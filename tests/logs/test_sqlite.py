"""The SQLite log: the contract, and what is its own."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from tests.logs.sqlite_writer_process import text
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ConfigurationError, IllegalEvent, LogClosed, ProtocolError
from tickertape.core.events import TextDelta
from tickertape.core.request import ChatRequest, Message
from tickertape.engine.step import Step
from tickertape.engine.tail import Tail
from tickertape.engine.writer import write_run
from tickertape.logs import sqlite_recent, sqlite_writer
from tickertape.logs.sqlite import SqliteLog
from tickertape.logs.sqlite_errors import LogUnavailable
from tickertape.providers.base import Route
from tickertape.testing.log_contract import LogContract
from tickertape.testing.log_probes import (
    ENDED,
    RETENTION_S,
    Bell,
    read_all,
    started,
    text_of,
)
from tickertape.testing.scripted import ScriptedProvider

WRITER = Path(__file__).with_name("sqlite_writer_process.py")
KILLS = 20
copies = itertools.count()


class TestSqliteLog(LogContract):
    """P8: it keeps what every log promises."""

    def open_log(self, place, *, retention_s, now):
        return SqliteLog(place / "log.db", retention_s=retention_s, now=now)

    def after_crash(self, place):
        # What the operating system has of a process that is killed now.
        return shutil.copytree(place, place.with_name(f"crash-{next(copies)}"))


class TestSqliteLogThatWaitsForTheDisk(TestSqliteLog):
    """The same with `synchronous="full"`."""

    def open_log(self, place, *, retention_s, now):
        path = place / "log.db"
        return SqliteLog(path, retention_s=retention_s, synchronous="full", now=now)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.db"


@pytest.fixture
async def log(path):
    async with SqliteLog(path) as log:
        await log.create(started("r"))
        yield log


@contextmanager
def writer_process(path, name):
    """Run a process that writes, which is killed at the end."""
    command = [sys.executable, WRITER, path, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path.cwd()) as process:
        try:
            assert b"open\n" == process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.timeout(120)
async def test_p8_kill_9_at_any_moment_loses_nothing_acknowledged(path):
    """Twenty times, on one file: all is there, dense, and ended once."""
    chance = random.Random(7)
    acknowledged = {}
    for kill in range(KILLS):
        with writer_process(path, f"kill{kill}") as process:
            for _ in range(chance.randrange(1500)):
                note(acknowledged, process.stdout.readline())
            process.kill()
            for line in process.stdout:
                note(acknowledged, line)
    assert KILLS <= len(acknowledged)
    async with SqliteLog(path) as log:
        for run_id, end_offset in acknowledged.items():
            records = await read_all(log, run_id)
            assert end_offset <= len(records)
            assert list(range(len(records))) == [record.offset for record in records]
            texts = [record.event.text for record in records[1:-1]]
            assert [text(offset) for offset in range(1, len(records) - 1)] == texts
            assert records[-1].event == ENDED or records[-1].event.error.code == "producer_lost"
            assert (await log.head(run_id)).is_closed


def note(acknowledged, line):
    if line.endswith(b"\n"):  # the last one may be cut
        run_id, end_offset = line.decode().split()
        acknowledged[run_id] = int(end_offset)


async def test_a_second_process_is_refused(path):
    """By name, with the way out; once the first is gone, killed or not, it may."""
    refused = pytest.raises(ConfigurationError, match=r"log\.db' is in use.*Stop the other")
    with writer_process(path, "first"), refused:
        await SqliteLog(path).open()
    async with SqliteLog(path):
        with pytest.raises(ConfigurationError, match="in use"):
            await SqliteLog(path).open()
    async with SqliteLog(path):
        pass


async def test_p5_readers_of_a_run_that_a_crash_left_open_get_an_end(tmp_path, path):
    """They resume after their cursor, and are told `producer_lost`, with the length there is."""
    async with SqliteLog(path, now=lambda: 100.0) as log:
        await log.create(started("r"))
        await log.append("r", [TextDelta("Hel")], epoch=1)
        await log.append("r", [TextDelta("lo")], epoch=1)
        left = shutil.copytree(path.parent, tmp_path / "left")
    async with (
        SqliteLog(left / path.name, now=lambda: 200.0) as log,
        Tail(log, "r", after=1) as tail,
    ):
        last, end = await tail.next()
        assert tail.is_over
    assert ("lo", 1) == (last.event.text, last.epoch)
    assert ("failed", "producer_lost", 5) == (
        end.event.outcome,
        end.event.error.code,
        end.event.length,
    )
    assert (2, 200.0) == (end.epoch, end.appended_at)


async def test_a_log_that_was_closed_is_as_it_was(path):
    """Except for what was open: its writer is gone."""
    async with SqliteLog(path) as log:
        await log.create(started("open"), owner="ann", idempotency_key="k")
        await log.create(started("ended"))
        await log.request_cancel("ended", "user")
        await log.append("ended", [TextDelta("a"), ENDED], epoch=1)
        ended = await log.head("ended"), await read_all(log, "ended")
    async with SqliteLog(path) as log:
        assert ended == (await log.head("ended"), await read_all(log, "ended"))
        assert (await log.head("open")).is_closed
        assert "open" == await log.find("k", owner="ann")


async def test_p6_memory_holds_two_slices_of_an_open_run_at_most(log):
    """Readers that are further behind read the file, and get the same."""
    for number in range(3000):
        await log.append("r", [TextDelta(f"{number} ")], epoch=1)
    run = log._recent.get("r")
    assert len(run.records) <= 2 * sqlite_writer.SLICE_RECORDS
    assert 3001 == len(await read_all(log, "r"))


async def test_p3_a_reader_gets_nothing_that_was_not_acknowledged_yet(log):
    """Though the file has it already, and the reader is so far behind that it reads the file."""
    for _ in range(3):
        await log.append("r", [TextDelta("a")] * sqlite_writer.SLICE_RECORDS, epoch=1)
    end_offset = (await log.head("r")).end_offset
    committed = []
    acknowledge, log._writer._done = log._writer._done, committed.append
    append = asyncio.ensure_future(log.append("r", [TextDelta("b")] * 1000, epoch=1))
    while not committed:
        await asyncio.sleep(0)
    part = await log.read("r", after=0, limit=5000)
    assert list(range(1, end_offset)) == [record.offset for record in part.records]
    acknowledge(committed[0])
    assert end_offset + 1000 == await append
    log._writer._done = acknowledge


async def test_p6_large_appends_leave_memory_soon(log):
    """What counts is their size."""
    for _ in range(8):
        await log.append("r", [TextDelta("x" * sqlite_writer.SLICE_BYTES)], epoch=1)
    assert len(log._recent.get("r").records) <= 2
    assert 8 * sqlite_writer.SLICE_BYTES == len(text_of(await read_all(log, "r")))


async def test_few_runs_that_have_ended_stay_in_memory(log, monkeypatch):
    """The others are read from the file."""
    monkeypatch.setattr(sqlite_recent, "ENDED_RUNS", 2)
    for run_id in "abcd":
        await log.create(started(run_id))
        await log.append(run_id, [TextDelta(run_id), ENDED], epoch=1)
    assert [False, False, True, True] == [log._recent.get(run_id) is not None for run_id in "abcd"]
    assert ["a", "b", "c", "d"] == [text_of(await read_all(log, run_id)) for run_id in "abcd"]
    with pytest.raises(LogClosed):
        await log.append("a", [TextDelta("x")], epoch=1)


async def test_watches_that_are_closed_leave_nothing_behind(log):
    """A server has very many of them."""
    watches = [log.watch("r", print), log.watch("r", print), log.watch("elsewhere", print)]
    for watch in [*watches, *watches]:
        watch.close()
    assert 0 == len(log._wakes)


async def test_the_event_loop_is_never_blocked(path):
    """Not by opening, writing, reading old and new records, trimming, or closing."""
    with blockbuster_ctx("tickertape.logs"):
        async with SqliteLog(path, retention_s=0) as log:
            await log.create(started("r"), idempotency_key="k")
            for _ in range(3):
                await log.append("r", [TextDelta("a")] * 300, epoch=1)
            assert 901 == len(await read_all(log, "r"))
            await log.append("r", [ENDED], epoch=1)
            await log.find("k")
            await log.check()


async def test_a_full_disk_fails_the_append_and_stores_nothing_of_it(path):
    """At once; what was acknowledged stays, and its reader learns that no more will come."""
    async with SqliteLog(path, max_bytes=200_000) as log:
        await log.create(started("r"))
        stored = [started("r")]

        async def fill():
            for number in range(1000):
                events = [TextDelta(f"{number} " * 100)]
                await log.append("r", events, epoch=1)
                stored.extend(events)

        with pytest.raises(LogUnavailable, match="full; free some space"):
            await fill()
        part = await log.read("r", after=-1)
        assert stored == [record.event for record in part.records]
        assert not part.is_closed
        with pytest.raises(LogUnavailable, match="full"):
            await log.read("r", after=len(stored) - 1)
        with pytest.raises(LogUnavailable, match="full"):
            await log.append("r", [TextDelta("x" * 100_000), ENDED], epoch=1)
        left = shutil.copytree(path.parent, path.parent / "left")
    async with SqliteLog(left / path.name) as log:
        records = await read_all(log, "r")
        assert stored == [record.event for record in records[:-1]]
        assert "producer_lost" == records[-1].event.error.code


async def test_p2_an_answer_that_does_not_fit_ends_with_the_length_of_what_did(path):
    """Its provider is stopped, and its run is failed, not left open."""
    provider = ScriptedProvider()
    request = ChatRequest(messages=[Message(role="user", content="Hi")], model="m")
    step = Step([Route(provider, "m")], request, started=started("r"), deadlines=Deadlines())
    async with SqliteLog(path, max_bytes=200_000) as log:
        await log.create(started("r"))
        bell = Bell()
        log.watch("r", bell.ring)
        writing = asyncio.ensure_future(write_run(log, step, run_id="r", epoch=1))
        provider.stream.send("fits")
        await bell.rung()
        provider.stream.send("x" * 300_000)
        await writing
        records = await read_all(log, "r")
        assert (await log.head("r")).is_closed
    end = records[-1].event
    assert ("fits", 4) == (text_of(records), end.length)
    assert ("failed", "internal") == (end.outcome, end.error.code)
    assert provider.stream.is_closed


async def test_a_reader_that_waits_is_woken_when_an_append_fails(path):
    """It does not wait for what will not come; when there is room again, all goes on."""
    async with SqliteLog(path) as log:
        await log.create(started("r"))
        async with Tail(log, "r", after=0) as tail:
            waiting = asyncio.ensure_future(tail.next())
            await asyncio.sleep(0)
            make_read_only(log, True)
            with pytest.raises(LogUnavailable, match="readonly.*writable"):
                await log.append("r", [TextDelta("lost")], epoch=1)
            with pytest.raises(LogUnavailable, match="readonly"):
                await waiting
        with pytest.raises(LogUnavailable):
            await log.create(started("other"))
        with pytest.raises(LogUnavailable):
            await log.check()
        make_read_only(log, False)
        await log.check()
        assert 2 == await log.append("r", [TextDelta("kept")], epoch=1)
        assert "kept" == text_of(await read_all(log, "r"))


def make_read_only(log, is_read_only):
    """Have SQLite refuse to write, as on a file system that was mounted so."""
    connection = log._writer._desk._connection
    connection.execute(f"PRAGMA query_only = {int(is_read_only)}")


async def test_cancel_works_while_the_disk_is_full(log):
    """P4: the writer is in this process; nothing needs to be stored to tell it."""
    told = []
    log.watch_cancels(lambda run_id, by: told.append((run_id, by)))
    make_read_only(log, True)
    await log.request_cancel("r", "user")
    assert [("r", "user")] == told


async def test_nobodys_append_fails_for_anothers(path):
    """Of those that wait together, only the one that does not fit is refused."""
    async with SqliteLog(path, max_bytes=200_000) as log:
        for run_id in "abc":
            await log.create(started(run_id))
        bell = Bell()
        log.watch("a", bell.ring)
        texts = {"a": "a", "b": "b" * 300_000, "c": "c"}
        results = await asyncio.gather(
            *(log.append(run_id, [TextDelta(text)], epoch=1) for run_id, text in texts.items()),
            return_exceptions=True,
        )
        assert [2, LogUnavailable, 2] == [
            result if isinstance(result, int) else type(result) for result in results
        ]
        assert bell.has_rung
        assert ["a", "", "c"] == [
            text_of((await log.read(run_id, after=-1)).records) for run_id in "abc"
        ]
        assert 2 == await log.append("b", [TextDelta("b")], epoch=1)


async def test_a_run_is_started_once(log):
    """A second one of the same name is refused, and the first goes on."""
    with pytest.raises(IllegalEvent, match="'r' has been started already"):
        await log.create(started("r"))
    assert 2 == await log.append("r", [TextDelta("a")], epoch=1)


async def test_what_is_no_text_is_refused(log):
    """A lone surrogate can't be stored; nothing of that append is."""
    with pytest.raises(ProtocolError, match="surrogate"):
        await log.append("r", [TextDelta("a"), TextDelta("\ud800")], epoch=1)
    assert 2 == await log.append("r", [TextDelta("b")], epoch=1)


async def test_a_log_that_is_not_open_says_so(path):
    """Before it was opened, and after it was closed."""
    log = SqliteLog(path)
    with pytest.raises(LogUnavailable, match="not open"):
        await log.create(started("r"))
    with pytest.raises(LogUnavailable, match="not open"):
        await log.head("r")
    async with log:
        pass
    await log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        await log.create(started("r"))
    with pytest.raises(LogUnavailable, match="closed"):
        await log.head("r")


async def test_what_was_asked_for_before_the_end_is_done(path):
    """Closing waits for it."""
    log = SqliteLog(path)
    await log.open()
    await log.create(started("r"))
    append = asyncio.ensure_future(log.append("r", [TextDelta("a"), ENDED], epoch=1))
    await asyncio.sleep(0)
    await log.close()
    assert 3 == await append
    async with SqliteLog(path) as log:
        assert "a" == text_of(await read_all(log, "r"))


async def test_a_closed_run_far_back_is_read_from_any_cursor(log, monkeypatch):
    """When its beginning has left memory, but its end has not."""
    for number in range(1000):
        await log.append("r", [TextDelta(f"{number} ")], epoch=1)
    await log.append("r", [ENDED], epoch=1)
    assert not log._recent.get("r").has(0)
    assert "".join(f"{number} " for number in range(1000)) == text_of(await read_all(log, "r"))


async def test_the_time_is_over_for_readers_before_the_file_is_cleaned(path):
    """A run that is due is gone, though nothing was started since."""
    now = [0.0]
    async with SqliteLog(path, retention_s=RETENTION_S, now=lambda: now[0]) as log:
        await log.create(started("r"), idempotency_key="k")
        await log.append("r", [ENDED], epoch=1)
        now[0] += RETENTION_S
        assert await log.find("k") is None
        with pytest.raises(Exception, match="'r' is no longer kept"):
            await log.head("r")
