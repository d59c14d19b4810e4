"""What every log must keep, as tests: `EventLog`'s promises, for a log of your own, too.

Subclass `LogContract` in a test module and say how your log is opened:

    class TestMyLog(LogContract):
        def open_log(self, place, *, retention_s, now):
            return MyLog(place / "log", retention_s=retention_s, now=now)  # `async with`-able

Needs pytest, pytest-asyncio in auto mode, and hypothesis. The tests share nothing
and never sleep. Here are those of records, heads, watches, cancel requests and
retention; `key_contract` and `lease_contract` have their own, and `log_model` the one
that plays random histories.
"""

# ruff: noqa: SIM300  # expected == actual, as in all tests

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from tickertape.core.errors import (
    CursorBeyondEnd,
    IllegalEvent,
    LogClosed,
    RunTrimmed,
    StaleEpoch,
    UnknownRun,
)
from tickertape.core.events import CancelledBy, Event, TextDelta
from tickertape.core.record import BEGINNING, Record
from tickertape.logs.base import EventLog, RunHead
from tickertape.testing.key_contract import KeyContract
from tickertape.testing.lease_contract import LeaseContract
from tickertape.testing.log_history import History, histories
from tickertape.testing.log_model import play
from tickertape.testing.log_probes import (
    ENDED,
    RETENTION_S,
    Bell,
    Clock,
    every_kind_of_event,
    expect_lost,
    expect_stretches,
    follow,
    read_all,
    started,
    text_of,
)


class LogContract(KeyContract, LeaseContract):
    """The contract. A subclass opens the log; everything else is inherited."""

    async def test_offsets_are_dense_from_zero(self, log: EventLog, clock: Clock) -> None:
        """RunStarted is 0; each append goes on from the end offset and returns the next."""
        assert 3 == await log.append("r", [TextDelta("a"), TextDelta("b")], epoch=1)
        assert 4 == await log.append("r", [TextDelta("c")], epoch=1)
        events: list[Event] = [started("r"), TextDelta("a"), TextDelta("b"), TextDelta("c")]
        expected = [Record(at, event, 1, clock.now_s) for at, event in enumerate(events)]
        assert expected == list((await log.read("r", after=BEGINNING)).records)

    async def test_every_kind_of_event_is_kept_as_it_is(self, log: EventLog) -> None:
        """With every field, those of a newer version's events, and text of any script."""
        events = every_kind_of_event()
        await log.append("r", events, epoch=1)
        assert [started("r"), *events] == [record.event for record in await read_all(log, "r")]

    async def test_a_read_gives_what_comes_after_the_cursor_up_to_the_limit(
        self, log: EventLog
    ) -> None:
        """Exclusive below, bounded above."""
        await log.append("r", [TextDelta(letter) for letter in "abcd"], epoch=1)
        part = await log.read("r", after=1, limit=2)
        assert [2, 3] == [record.offset for record in part.records]
        assert not part.is_closed

    async def test_any_stretch_of_a_long_run_can_be_read(self, log: EventLog) -> None:
        """While it is open and when it has ended: whole, up to the limit, from any cursor."""
        texts = [TextDelta(f"{number} ") for number in range(1500)]
        for first in range(0, 1500, 25):
            await log.append("r", texts[first : first + 25], epoch=1)
        await expect_stretches(log, [started("r"), *texts])
        await log.append("r", [ENDED], epoch=1)
        await expect_stretches(log, [started("r"), *texts, ENDED])

    async def test_a_large_append_is_read_back(self, log: EventLog) -> None:
        """Thousands of records, and a text of a megabyte."""
        events: list[Event] = [TextDelta("ж" * 500_000), *[TextDelta("x")] * 5000]
        assert 5002 == await log.append("r", events, epoch=1)
        assert [started("r"), *events] == [record.event for record in await read_all(log, "r")]

    async def test_closed_is_said_only_with_the_last_records(self, log: EventLog) -> None:
        """A reader that has more to read is not told that it is over."""
        await log.append("r", [TextDelta("a"), ENDED], epoch=1)
        assert not (await log.read("r", after=BEGINNING, limit=2)).is_closed
        assert (await log.read("r", after=1, limit=1)).is_closed
        nothing_more = await log.read("r", after=2)
        assert ([], True) == (list(nothing_more.records), nothing_more.is_closed)

    async def test_p2_nothing_follows_the_end(self, log: EventLog) -> None:
        """RunEnded closes the run in the same step."""
        await log.append("r", [ENDED], epoch=1)
        for events in ([TextDelta("a")], [ENDED]):
            with pytest.raises(LogClosed, match="'r' has ended"):
                await log.append("r", events, epoch=1)
        assert [started("r"), ENDED] == [record.event for record in await read_all(log, "r")]

    async def test_an_append_stores_all_or_none(self, log: EventLog) -> None:
        """A batch with something after its end is refused whole."""
        with pytest.raises(IllegalEvent):
            await log.append("r", [TextDelta("a"), ENDED, TextDelta("b")], epoch=1)
        head = await log.head("r")
        assert (1, False) == (head.end_offset, head.is_closed)

    async def test_another_epoch_is_fenced(self, log: EventLog) -> None:
        """Of two writers, only the one with the lease's epoch gets anything in."""
        for epoch in (0, 2):
            with pytest.raises(StaleEpoch) as fenced:
                await log.append("r", [TextDelta("fenced")], epoch=epoch)
            assert (epoch, 1) == (fenced.value.held, fenced.value.current)
        assert 2 == await log.append("r", [TextDelta("a")], epoch=1)

    async def test_writers_of_many_runs_do_not_meet(self, log: EventLog) -> None:
        """Each run has its own text, in its own order, whoever writes at the same time."""

        async def write(run_id: str) -> None:
            await log.create(started(run_id))
            for number in range(20):
                await log.append(run_id, [TextDelta(f"{run_id}{number} ")] * 2, epoch=1)

        run_ids = [f"run-{number}" for number in range(16)]
        await asyncio.gather(*map(write, run_ids))
        for run_id in run_ids:
            expected = "".join(f"{run_id}{number} " * 2 for number in range(20))
            assert expected == text_of(await read_all(log, run_id))

    async def test_appends_that_wait_together_stay_whole(self, log: EventLog) -> None:
        """In the order in which they were made, each in one piece."""
        appends = [
            log.append("r", [TextDelta(f"{number}a "), TextDelta(f"{number}b ")], epoch=1)
            for number in range(20)
        ]
        end_offsets = await asyncio.gather(*appends)
        assert [3 + 2 * number for number in range(20)] == end_offsets
        expected = "".join(f"{number}a {number}b " for number in range(20))
        assert expected == text_of(await read_all(log, "r"))

    async def test_a_cancelled_append_is_stored_whole_or_not_at_all(self, log: EventLog) -> None:
        """And the log goes on."""
        append = asyncio.ensure_future(log.append("r", [TextDelta("a"), TextDelta("b")], epoch=1))
        await asyncio.sleep(0)
        append.cancel()
        await asyncio.wait([append])
        await log.append("r", [TextDelta("c")], epoch=1)
        records = await read_all(log, "r")
        assert text_of(records) in {"c", "abc"}
        assert list(range(len(records))) == [record.offset for record in records]

    async def test_unknown_runs_are_said_to_be_unknown(self, log: EventLog) -> None:
        """Every call names the run it did not find."""
        for attempt in (
            log.append("x", [ENDED], epoch=1),
            log.read("x", after=BEGINNING),
            log.head("x"),
            log.request_cancel("x", "user"),
        ):
            with pytest.raises(UnknownRun, match="'x'"):
                await attempt

    async def test_a_cursor_that_was_never_written_is_refused(self, log: EventLog) -> None:
        """The error says where the run ends, while it is open and afterwards."""
        for after in (-2, 1, 99):
            with pytest.raises(CursorBeyondEnd, match="end offset is 1"):
                await log.read("r", after=after)
        await log.append("r", [ENDED], epoch=1)
        for after in (-2, 2, 99):
            with pytest.raises(CursorBeyondEnd, match="end offset is 2"):
                await log.read("r", after=after)

    async def test_a_head_tells_what_is_known_of_a_run(self, log: EventLog, clock: Clock) -> None:
        """Its owner, where it ends, and whether it has."""
        await log.create(started("a"), owner="ann")
        await log.append("a", [TextDelta("a")], epoch=1)
        expected = RunHead(
            "a",
            "ann",
            2,
            is_closed=False,
            cancel_requested_by=None,
            epoch=1,
            holder=None,
            last_read_at=clock.now_s,
        )
        assert expected == await log.head("a")
        await log.append("a", [ENDED], epoch=1)
        assert replace(expected, end_offset=3, is_closed=True) == await log.head("a")
        assert (await log.head("r")).owner is None

    async def test_every_watch_is_woken_until_it_closes(self, log: EventLog) -> None:
        """What was appended can be read then; a closed watch is called no more."""
        first, second = Bell(), Bell()
        watch = log.watch("r", first.ring)
        log.watch("r", second.ring)
        await log.append("r", [TextDelta("a")], epoch=1)
        await first.rung()
        await second.rung()
        assert 2 == (await log.head("r")).end_offset
        watch.close()
        watch.close()
        await log.append("r", [TextDelta("b")], epoch=1)
        await second.rung()
        assert not first.has_rung

    async def test_p1_a_reader_that_follows_gets_each_record_once(self, log: EventLog) -> None:
        """It watches first, then reads; no wake-up is left out, and the end is one."""
        readers = [asyncio.ensure_future(follow(log, "r"))]
        texts = [TextDelta(f"{number} ") for number in range(300)]
        for number, text in enumerate(texts):
            await log.append("r", [text] * (1 + number % 3), epoch=1)
            await asyncio.sleep(0)
            if number % 100 == 50:
                readers.append(asyncio.ensure_future(follow(log, "r")))
        await log.append("r", [ENDED], epoch=1)
        stored = [event for number, text in enumerate(texts) for event in [text] * (1 + number % 3)]
        expected = list(enumerate([started("r"), *stored, ENDED]))
        for records in await asyncio.gather(*readers):
            assert expected == [(record.offset, record.event) for record in records]

    async def test_p4_the_first_cancel_request_counts(self, log: EventLog) -> None:
        """Who watches is told of it, and repeating it is safe."""
        told: list[tuple[str, CancelledBy]] = []
        bell = Bell()

        def tell(run_id: str, by: CancelledBy) -> None:
            told.append((run_id, by))
            bell.ring()

        watch = log.watch_cancels(tell)
        await log.request_cancel("r", "user")
        await bell.rung()
        await log.request_cancel("r", "shutdown")
        assert {("r", "user")} == set(told)
        assert "user" == (await log.head("r")).cancel_requested_by
        watch.close()
        watch.close()

    async def test_a_cancel_request_after_the_end_changes_nothing(self, log: EventLog) -> None:
        """The run has its outcome."""
        await log.append("r", [ENDED], epoch=1)
        await log.request_cancel("r", "user")
        assert (await log.head("r")).cancel_requested_by is None

    async def test_a_closed_run_is_kept_for_its_time(self, log: EventLog, clock: Clock) -> None:
        """And not a second less."""
        await log.create(started("a"), idempotency_key="k")
        await log.append("a", [ENDED], epoch=1)
        clock.now_s += RETENTION_S - 1
        joined = await log.create(started("b"), idempotency_key="k")
        assert ("a", False) == (joined.run_id, joined.is_new)
        assert 2 == len(await read_all(log, "a"))

    async def test_a_closed_run_is_trimmed_after_its_time(
        self, log: EventLog, clock: Clock
    ) -> None:
        """At the next start: who asks for it is told, and its key is free again."""
        await log.create(started("a"), idempotency_key="k")
        await log.append("a", [ENDED], epoch=1)
        clock.now_s += RETENTION_S + 1
        assert (await log.create(started("b"), idempotency_key="k")).is_new
        for attempt in (
            log.read("a", after=BEGINNING),
            log.head("a"),
            log.append("a", [TextDelta("x")], epoch=1),
            log.request_cancel("a", "user"),
        ):
            with pytest.raises(RunTrimmed, match="'a' is no longer kept"):
                await attempt

    async def test_an_open_run_is_never_trimmed(self, log: EventLog, clock: Clock) -> None:
        """However long it takes."""
        clock.now_s += 100 * RETENTION_S
        await log.create(started("b"))
        assert 2 == await log.append("r", [TextDelta("a")], epoch=1)

    async def test_the_log_can_be_written_now(self, log: EventLog) -> None:
        """`check` returns."""
        await log.check()

    async def test_p8_what_was_acknowledged_survives_a_crash(
        self, tmp_path: Path, clock: Clock
    ) -> None:
        """Runs that had ended are as they were; others have all they had, and at most an end."""
        place = tmp_path / "log"
        place.mkdir()
        async with self.open_log(place, retention_s=RETENTION_S, now=clock) as log:
            await log.create(started("ended"), owner="ann", idempotency_key="k", fingerprint="f")
            await log.append("ended", [TextDelta("a"), ENDED], epoch=1)
            await log.create(started("open"))
            for number in range(700):
                await log.append("open", [TextDelta(f"{number} ")], epoch=1)
            ended, unfinished = await read_all(log, "ended"), await read_all(log, "open")
            left = self.after_crash(place)
        if left is None:
            pytest.skip("this log ends with its process")
        clock.now_s += 1
        async with self.open_log(left, retention_s=RETENTION_S, now=clock) as log:
            assert ended == await read_all(log, "ended")
            assert "ann" == (await log.head("ended")).owner
            assert "ended" == await log.find("k", owner="ann", fingerprint="f")
            records = await read_all(log, "open")
            assert unfinished == records[: len(unfinished)]
            await expect_lost(log, "open", records[len(unfinished) :])

    @given(history=histories())
    @settings(
        max_examples=50,
        deadline=None,
        # Each subclass runs this with a log of its own.
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
    )
    async def test_p8_any_history_gives_what_a_list_would(self, history: History) -> None:
        """Starts, appends, reads, take overs, ends, hours, crashes: as a plain list per run."""
        with TemporaryDirectory(prefix="tickertape-log-") as folder:
            await play(history, Path(folder), open_log=self.open_log, after_crash=self.after_crash)
