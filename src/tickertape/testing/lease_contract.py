"""What a log promises of leases, as tests: who may write a run, and who may take it over.

Part of `log_contract`, which is what a log of your own is tested with. Time is that of
the test's clock. Holders are `a`, `b`, `c`; the run `h` is `a`'s.
"""

# ruff: noqa: SIM300  # expected == actual, as in all tests

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tickertape.core.errors import LeaseHeld, LogClosed, RunTrimmed, StaleEpoch, UnknownRun
from tickertape.core.events import CancelledBy, TextDelta
from tickertape.logs.base import EventLog, LapsedRun
from tickertape.testing.log_opening import LogOpening
from tickertape.testing.log_probes import (
    ENDED,
    RETENTION_S,
    TERM_S,
    Bell,
    Clock,
    expect_lost,
    read_all,
    started,
    text_of,
)


class LeaseContract(LogOpening):
    """Leased, taken over, fenced."""

    @pytest.fixture
    async def held(self, log: EventLog) -> EventLog:
        """Return the log with a run `h` of holder `a`, whose lease lasts `TERM_S` from now."""
        await log.renew("a", term_s=TERM_S)
        await log.create(started("h"), holder="a")
        return log

    @pytest.fixture
    async def lapsed(self, held: EventLog, clock: Clock) -> EventLog:
        """Return the log after `a`'s lease ran out; `h` has one record of text."""
        await held.append("h", [TextDelta("old ")], epoch=1)
        clock.now_s += TERM_S
        return held

    async def test_a_head_names_the_holder(self, held: EventLog, clock: Clock) -> None:
        """The one that may write now: nobody, for a run that has none or has ended."""
        assert "a" == (await held.head("h")).holder
        assert (await held.head("r")).holder is None
        clock.now_s += TERM_S
        assert "a" == (await held.head("h")).holder
        epoch = await held.take_over("h", holder="b", epoch=1)
        head = await held.head("h")
        assert ("b", epoch) == (head.holder, head.epoch)
        await held.append("h", [ENDED], epoch=epoch)
        head = await held.head("h")
        assert (None, epoch) == (head.holder, head.epoch)

    async def test_renewing_tells_whether_the_lease_held(self, log: EventLog, clock: Clock) -> None:
        """At first and in time it did; when its term is over, it had run out."""
        assert await log.renew("a", term_s=TERM_S)
        clock.now_s += TERM_S - 1
        assert await log.renew("a", term_s=TERM_S)
        clock.now_s += TERM_S
        assert await log.renew("b", term_s=TERM_S)
        assert not await log.renew("a", term_s=TERM_S)
        assert await log.renew("a", term_s=TERM_S)

    async def test_a_lease_covers_every_run_of_its_holder(
        self, held: EventLog, clock: Clock
    ) -> None:
        """Whenever they were created; another holder's lease covers none of them."""
        await held.create(started("b"), holder="b")
        assert [LapsedRun("b", 1)] == list(await held.lapsed())
        await held.renew("b", term_s=TERM_S)
        assert [] == list(await held.lapsed())
        clock.now_s += TERM_S - 1
        await held.renew("a", term_s=TERM_S)
        clock.now_s += TERM_S - 1
        await held.create(started("late"), holder="a")
        assert [LapsedRun("b", 1)] == list(await held.lapsed())
        clock.now_s += 1
        assert {"b", "h", "late"} == {run.run_id for run in await held.lapsed()}

    async def test_p5_what_lost_its_holder_is_found(self, held: EventLog, clock: Clock) -> None:
        """The lease ran out, was released, or never was."""
        await held.create(started("released"), holder="b")
        await held.renew("b", term_s=10 * TERM_S)
        await held.create(started("forgotten"), holder="c")
        clock.now_s += TERM_S
        await held.release("b")
        expected = {LapsedRun(run_id, 1) for run_id in ("h", "released", "forgotten")}
        assert expected == set(await held.lapsed())

    async def test_what_has_a_writer_or_needs_none_is_not_lapsed(
        self, lapsed: EventLog, clock: Clock
    ) -> None:
        """Runs without a holder, those of a holder that is alive, closed and trimmed ones."""
        await lapsed.append("h", [ENDED], epoch=1)
        await lapsed.renew("b", term_s=10 * RETENTION_S)
        await lapsed.create(started("alive"), holder="b")
        assert [] == list(await lapsed.lapsed())
        clock.now_s += RETENTION_S + 1
        await lapsed.create(started("z"))
        assert [] == list(await lapsed.lapsed())

    async def test_lapsed_runs_come_in_portions(self, log: EventLog) -> None:
        """At most `limit`; those that were taken over make room for the others."""
        run_ids = {f"{number}" for number in range(5)}
        for run_id in run_ids:
            await log.create(started(run_id), holder="a")
        await log.renew("b", term_s=TERM_S)
        found = []
        for expected in (2, 2, 1, 0):
            portion = await log.lapsed(limit=2)
            assert expected == len(portion)
            for run in portion:
                await log.take_over(run.run_id, holder="b", epoch=run.epoch)
                found.append(run.run_id)
        assert sorted(run_ids) == sorted(found)

    async def test_a_lease_that_ran_out_fences_nobody(self, lapsed: EventLog) -> None:
        """Only a take over does; until then the writer goes on, and may renew."""
        assert 3 == await lapsed.append("h", [TextDelta("still ")], epoch=1)
        assert not await lapsed.renew("a", term_s=TERM_S)
        assert [] == list(await lapsed.lapsed())
        with pytest.raises(LeaseHeld):
            await lapsed.take_over("h", holder="b", epoch=1)
        assert 4 == await lapsed.append("h", [TextDelta("here")], epoch=1)

    async def test_p1_a_taken_over_run_goes_on_where_it_was(self, lapsed: EventLog) -> None:
        """The old writer gets nothing in any more; the new one's records follow densely."""
        epoch = await lapsed.take_over("h", holder="b", epoch=1)
        assert epoch > 1
        for events in ([TextDelta("too late ")], [ENDED]):
            with pytest.raises(StaleEpoch) as fenced:
                await lapsed.append("h", events, epoch=1)
            assert (1, epoch) == (fenced.value.held, fenced.value.current)
        assert 2 == (await lapsed.head("h")).end_offset
        assert 4 == await lapsed.append("h", [TextDelta("new"), ENDED], epoch=epoch)
        records = await read_all(lapsed, "h")
        assert "old new" == text_of(records)
        assert [(0, 1), (1, 1), (2, epoch), (3, epoch)] == [
            (record.offset, record.epoch) for record in records
        ]
        with pytest.raises(StaleEpoch):
            await lapsed.append("h", [TextDelta("too late")], epoch=1)

    async def test_an_append_meets_a_take_over(self, lapsed: EventLog) -> None:
        """At the same time: it came before, and is stored, or after, and is fenced."""

        async def append() -> bool:
            try:
                await lapsed.append("h", [TextDelta("x")] * 2, epoch=1)
            except StaleEpoch:
                return False
            return True

        before = [append() for _ in range(10)]
        taking = lapsed.take_over("h", holder="b", epoch=1)
        after = [append() for _ in range(10)]
        stored_before, epoch, stored_after = await asyncio.gather(
            asyncio.gather(*before), taking, asyncio.gather(*after)
        )
        end_offset = 2 + 2 * sum(stored_before + stored_after)
        assert end_offset + 1 == await lapsed.append("h", [TextDelta("y")], epoch=epoch)
        epochs = [record.epoch for record in await read_all(lapsed, "h")]
        assert [1] * end_offset + [epoch] == epochs

    async def test_a_run_is_its_holders_while_the_lease_lasts(
        self, held: EventLog, clock: Clock
    ) -> None:
        """To the last moment; a run without a holder can't be taken over at all."""
        for waited_s in (0, TERM_S - 1):
            clock.now_s += waited_s
            for run_id in ("h", "r"):
                with pytest.raises(LeaseHeld, match=f"'{run_id}'"):
                    await held.take_over(run_id, holder="b", epoch=1)
        clock.now_s += 1
        with pytest.raises(LeaseHeld, match="'r'"):
            await held.take_over("r", holder="b", epoch=1)
        assert 2 == await held.append("r", [TextDelta("a")], epoch=1)
        await held.take_over("h", holder="b", epoch=1)

    async def test_a_released_run_can_be_taken_over_at_once(self, held: EventLog) -> None:
        """Releasing is safe to repeat; the holder may get a lease again."""
        for holder in ("a", "a", "stranger"):
            await held.release(holder)
        await held.take_over("h", holder="b", epoch=1)
        await held.create(started("again"), holder="a")
        await held.renew("a", term_s=TERM_S)
        with pytest.raises(LeaseHeld):
            await held.take_over("again", holder="b", epoch=1)

    async def test_a_taken_over_run_is_the_new_holders(
        self, lapsed: EventLog, clock: Clock
    ) -> None:
        """Its lease counts now, and not that of the one before."""
        await lapsed.renew("b", term_s=TERM_S)
        epoch = await lapsed.take_over("h", holder="b", epoch=1)
        assert [] == list(await lapsed.lapsed())
        await lapsed.renew("a", term_s=10 * TERM_S)
        with pytest.raises(LeaseHeld):
            await lapsed.take_over("h", holder="a", epoch=epoch)
        clock.now_s += TERM_S
        assert [LapsedRun("h", epoch)] == list(await lapsed.lapsed())
        assert epoch < await lapsed.take_over("h", holder="a", epoch=epoch)
        assert [] == list(await lapsed.lapsed())

    async def test_the_slower_of_two_is_told(self, lapsed: EventLog) -> None:
        """It knows an older epoch, whether the faster one has a lease or not."""
        epoch = await lapsed.take_over("h", holder="b", epoch=1)
        for _ in range(2):
            with pytest.raises(StaleEpoch) as stale:
                await lapsed.take_over("h", holder="c", epoch=1)
            assert (1, epoch) == (stale.value.held, stale.value.current)
            await lapsed.renew("b", term_s=TERM_S)
        head = await lapsed.head("h")
        assert ("b", epoch) == (head.holder, head.epoch)

    async def test_of_many_who_take_over_at_once_one_does(self, lapsed: EventLog) -> None:
        """Nobody else gets an epoch, even where no lease protects the one who does."""
        holders = [f"holder-{number}" for number in range(10)]
        results = await asyncio.gather(
            *(lapsed.take_over("h", holder=holder, epoch=1) for holder in holders),
            return_exceptions=True,
        )
        won = [at for at, result in enumerate(results) if isinstance(result, int)]
        assert 1 == len(won)
        assert [StaleEpoch] * 9 == [type(each) for each in results if not isinstance(each, int)]
        head = await lapsed.head("h")
        assert (holders[won[0]], results[won[0]]) == (head.holder, head.epoch)

    async def test_a_holder_may_take_over_from_itself(self, held: EventLog) -> None:
        """While its lease lasts: its own older writer is fenced."""
        epoch = await held.take_over("h", holder="a", epoch=1)
        with pytest.raises(StaleEpoch):
            await held.append("h", [TextDelta("x")], epoch=1)
        assert 2 == await held.append("h", [TextDelta("x")], epoch=epoch)
        assert "a" == (await held.head("h")).holder

    async def test_only_an_open_run_can_be_taken_over(self, lapsed: EventLog, clock: Clock) -> None:
        """A closed one says so, whatever epoch is named; so do trimmed and unknown ones."""
        await lapsed.append("h", [ENDED], epoch=1)
        for epoch in (0, 1, 2):
            with pytest.raises(LogClosed, match="'h' has ended"):
                await lapsed.take_over("h", holder="b", epoch=epoch)
        with pytest.raises(UnknownRun, match="'x'"):
            await lapsed.take_over("x", holder="b", epoch=1)
        clock.now_s += RETENTION_S + 1
        await lapsed.create(started("z"))
        with pytest.raises(RunTrimmed, match="'h' is no longer kept"):
            await lapsed.take_over("h", holder="b", epoch=1)

    async def test_a_take_over_leaves_the_rest_as_it_was(self, log: EventLog, clock: Clock) -> None:
        """Owner, key, cancel request, last reading, and who watches."""
        await log.create(
            started("k"), owner="ann", idempotency_key="key", fingerprint="f", holder="a"
        )
        await log.request_cancel("k", "user")
        before = await log.head("k")
        bell = Bell()
        log.watch("k", bell.ring)
        clock.now_s += 1
        epoch = await log.take_over("k", holder="b", epoch=1)
        head = await log.head("k")
        assert (before.owner, before.cancel_requested_by, before.last_read_at) == (
            head.owner,
            head.cancel_requested_by,
            head.last_read_at,
        )
        assert "user" == head.cancel_requested_by
        assert "k" == await log.find("key", owner="ann", fingerprint="f")
        await log.append("k", [TextDelta("x")], epoch=epoch)
        await bell.rung()

    async def test_p4_a_taken_over_run_can_be_cancelled(self, lapsed: EventLog) -> None:
        """Its new writer is told as its old one was."""
        told: list[tuple[str, CancelledBy]] = []
        bell = Bell()

        def tell(run_id: str, by: CancelledBy) -> None:
            told.append((run_id, by))
            bell.ring()

        lapsed.watch_cancels(tell)
        await lapsed.take_over("h", holder="b", epoch=1)
        await lapsed.request_cancel("h", "user")
        await bell.rung()
        assert {("h", "user")} == set(told)
        assert "user" == (await lapsed.head("h")).cancel_requested_by

    async def test_joining_a_run_leaves_it_to_its_holder(self, log: EventLog) -> None:
        """The key names it; who starts it again does not get it."""
        await log.create(started("k"), idempotency_key="key", holder="a")
        joined = await log.create(started("l"), idempotency_key="key", holder="b")
        assert ("k", False) == (joined.run_id, joined.is_new)
        assert "a" == (await log.head("k")).holder

    async def test_the_last_reading_is_noted(self, held: EventLog, clock: Clock) -> None:
        """Of the runs that are named and open here; writing them is no reading."""
        created_at = clock.now_s
        await held.create(started("ended"))
        await held.append("ended", [ENDED], epoch=1)
        assert created_at == (await held.head("h")).last_read_at
        clock.now_s += 5
        await held.note_read(["unknown", "h", "ended"])
        await held.note_read([])
        clock.now_s += 5
        await held.append("h", [TextDelta("x")], epoch=1)
        assert created_at + 5 == (await held.head("h")).last_read_at
        assert created_at == (await held.head("r")).last_read_at

    async def test_p5_a_crash_leaves_no_run_without_an_end_for_ever(
        self, tmp_path: Path, clock: Clock
    ) -> None:
        """It has been ended, or it lapses, and whoever takes it over goes on."""
        place = tmp_path / "log"
        place.mkdir()
        async with self.open_log(place, retention_s=RETENTION_S, now=clock) as log:
            await log.renew("a", term_s=TERM_S)
            await log.create(started("h"), holder="a")
            await log.append("h", [TextDelta("old ")], epoch=1)
            epoch = await log.take_over("h", holder="a", epoch=1)
            left = self.after_crash(place)
        if left is None:
            pytest.skip("this log ends with its process")
        async with self.open_log(left, retention_s=RETENTION_S, now=clock) as log:
            records = await read_all(log, "h")
            await expect_lost(log, "h", records[2:])
            assert not records[2:] or records[2].epoch > epoch
            if not records[2:]:
                assert [] == list(await log.lapsed())
                clock.now_s += TERM_S
                assert [LapsedRun("h", epoch)] == list(await log.lapsed())
                gained = await log.take_over("h", holder="b", epoch=epoch)
                assert 3 == await log.append("h", [ENDED], epoch=gained)
            assert [] == list(await log.lapsed())
