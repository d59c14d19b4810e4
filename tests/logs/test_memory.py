"""The memory log keeps what every log promises."""

from __future__ import annotations

import pytest

from tickertape.core.errors import (
    CursorBeyondEnd,
    IdempotencyConflict,
    IllegalEvent,
    LogClosed,
    RunTrimmed,
    StaleEpoch,
    UnknownRun,
)
from tickertape.core.events import RunEnded, RunStarted, TextDelta, Timings
from tickertape.logs import memory
from tickertape.logs.memory import MemoryLog

ENDED = RunEnded(
    outcome="completed", length=0, timings=Timings(first_progress_s=None, duration_s=0)
)


def started(run_id="r"):
    return RunStarted(run_id=run_id, model="m", provider="p", created_at=0.0)


class Now:
    """A clock that a test sets."""

    s = 1000.0

    def __call__(self):
        return self.s


@pytest.fixture
def now():
    return Now()


@pytest.fixture
async def log(now):
    log = MemoryLog(retention_s=60, now=now)
    await log.create(started())
    return log


async def test_offsets_are_dense_from_zero(log, now):
    """RunStarted is 0; each append goes on from the end offset and returns the next."""
    assert 3 == await log.append("r", [TextDelta("a"), TextDelta("b")], epoch=1)
    assert 4 == await log.append("r", [TextDelta("c")], epoch=1)
    records = (await log.read("r", after=-1)).records
    assert [0, 1, 2, 3] == [record.offset for record in records]
    assert [started(), TextDelta("a"), TextDelta("b"), TextDelta("c")] == [
        record.event for record in records
    ]
    assert {(1, now.s)} == {(record.epoch, record.appended_at) for record in records}


async def test_a_read_gives_what_comes_after_the_cursor_up_to_the_limit(log):
    """Exclusive below, bounded above."""
    await log.append("r", [TextDelta(letter) for letter in "abcd"], epoch=1)
    part = await log.read("r", after=1, limit=2)
    assert [2, 3] == [record.offset for record in part.records]
    assert not part.is_closed


async def test_closed_is_said_only_with_the_last_records(log):
    """A reader that has more to read is not told that it is over."""
    await log.append("r", [TextDelta("a"), ENDED], epoch=1)
    assert not (await log.read("r", after=-1, limit=2)).is_closed
    assert (await log.read("r", after=1, limit=1)).is_closed
    nothing_more = await log.read("r", after=2)
    assert ([], True) == (nothing_more.records, nothing_more.is_closed)


async def test_p2_nothing_follows_the_end(log):
    """RunEnded closes the run in the same step."""
    await log.append("r", [ENDED], epoch=1)
    with pytest.raises(LogClosed, match="'r' has ended"):
        await log.append("r", [TextDelta("a")], epoch=1)


async def test_an_append_stores_all_or_none(log):
    """A batch with something after its end is refused whole, and nobody is woken."""
    woken = []
    log.watch("r", lambda: woken.append(1))
    with pytest.raises(IllegalEvent):
        await log.append("r", [TextDelta("a"), ENDED, TextDelta("b")], epoch=1)
    assert 1 == (await log.head("r")).end_offset
    assert not (await log.head("r")).is_closed
    assert [] == woken


@pytest.mark.parametrize("epoch", [0, 2])
async def test_another_epoch_is_fenced(log, epoch):
    """Only the lease's own epoch writes."""
    with pytest.raises(StaleEpoch) as fenced:
        await log.append("r", [TextDelta("a")], epoch=epoch)
    assert (epoch, 1) == (fenced.value.held, fenced.value.current)


async def test_unknown_runs_are_said_to_be_unknown(log):
    """Every call names the run it did not find."""
    for attempt in (
        log.append("x", [ENDED], epoch=1),
        log.read("x", after=-1),
        log.head("x"),
        log.request_cancel("x", "user"),
    ):
        with pytest.raises(UnknownRun, match="'x'"):
            await attempt


@pytest.mark.parametrize("after", [-2, 1, 99])
async def test_a_cursor_that_was_never_written_is_refused(log, after):
    """The error says where the run ends."""
    with pytest.raises(CursorBeyondEnd, match="end offset is 1"):
        await log.read("r", after=after)


async def test_every_watch_is_woken_until_it_closes(log):
    """A closed watch is called no more, and closing twice is safe."""
    woken = []
    first = log.watch("r", lambda: woken.append("first"))
    log.watch("r", lambda: woken.append("second"))
    await log.append("r", [TextDelta("a")], epoch=1)
    first.close()
    first.close()
    await log.append("r", [TextDelta("b")], epoch=1)
    assert ["first", "second", "second"] == woken


async def test_the_first_cancel_request_counts_and_is_told_once(log):
    """Repeating it is safe."""
    told = []
    log.watch_cancels(lambda run_id, by: told.append((run_id, by)))
    await log.request_cancel("r", "user")
    await log.request_cancel("r", "shutdown")
    assert [("r", "user")] == told
    assert "user" == (await log.head("r")).cancel_requested_by


async def test_a_cancel_request_after_the_end_changes_nothing(log):
    """The run has its outcome."""
    await log.append("r", [ENDED], epoch=1)
    await log.request_cancel("r", "user")
    assert (await log.head("r")).cancel_requested_by is None


async def test_p7_a_key_names_one_run(log):
    """The second start joins, and nothing of it is stored."""
    first = await log.create(started("a"), idempotency_key="k", fingerprint="f")
    second = await log.create(started("b"), idempotency_key="k", fingerprint="f")
    assert (("a", True), ("a", False)) == (
        (first.run_id, first.is_new),
        (second.run_id, second.is_new),
    )
    with pytest.raises(UnknownRun):
        await log.head("b")
    assert "a" == await log.find("k", fingerprint="f")
    assert await log.find("other", fingerprint="f") is None


async def test_p7_a_key_with_another_request_is_refused(log):
    """The error names the key."""
    await log.create(started("a"), idempotency_key="k", fingerprint="f")
    with pytest.raises(IdempotencyConflict, match="'k'"):
        await log.create(started("b"), idempotency_key="k", fingerprint="g")


async def test_a_closed_run_is_trimmed_after_its_time_and_an_open_one_never(log, now):
    """Its key is free again; its id is remembered as trimmed."""
    await log.create(started("a"), idempotency_key="k")
    await log.append("a", [ENDED], epoch=1)
    now.s += 61
    created = await log.create(started("b"), idempotency_key="k")
    assert created.is_new
    with pytest.raises(RunTrimmed, match="'a' is no longer kept"):
        await log.read("a", after=-1)
    assert 1 == (await log.head("r")).end_offset


async def test_what_is_remembered_of_trimmed_runs_is_bounded(log, now, monkeypatch):
    """The oldest ids are forgotten first."""
    monkeypatch.setattr(memory, "MAX_TRIMMED_IDS", 2)
    for run_id in "abc":
        await log.create(started(run_id))
        await log.append(run_id, [ENDED], epoch=1)
    now.s += 61
    await log.create(started("z"))
    with pytest.raises(UnknownRun):
        await log.head("a")
    for run_id in "bc":
        with pytest.raises(RunTrimmed):
            await log.head(run_id)
