"""What a log promises of idempotency keys, as tests: one key, one run (P7).

Part of `log_contract`, which is what a log of your own is tested with.
"""

# ruff: noqa: SIM300  # expected == actual, as in all tests

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.errors import IdempotencyConflict, UnknownRun
from tickertape.logs.base import EventLog
from tickertape.testing.log_opening import LogOpening
from tickertape.testing.log_probes import started


class KeyContract(LogOpening):
    """Started once, however many start it."""

    async def test_p7_a_key_names_one_run(self, log: EventLog) -> None:
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

    async def test_p7_starts_at_the_same_time_with_one_key_are_one(self, log: EventLog) -> None:
        """However many: one is new, and the others join it."""
        creates = [log.create(started(f"{n}"), idempotency_key="k") for n in range(10)]
        created = await asyncio.gather(*creates)
        assert 1 == sum(each.is_new for each in created)
        assert 1 == len({each.run_id for each in created})
        run_id = created[0].run_id
        assert 1 == (await log.head(run_id)).end_offset
        for other in {str(n) for n in range(10)} - {run_id}:
            with pytest.raises(UnknownRun):
                await log.head(other)

    async def test_p7_a_key_is_its_owners(self, log: EventLog) -> None:
        """Nobody is somebody too, and not the one whose name is empty."""
        owners: list[str | None] = [None, "", "ann", "bob"]
        for owner in owners:
            created = await log.create(started(f"by {owner}"), owner=owner, idempotency_key="k")
            assert created.is_new
        assert [f"by {owner}" for owner in owners] == [
            await log.find("k", owner=owner) for owner in owners
        ]

    async def test_p7_a_key_with_another_request_is_refused(self, log: EventLog) -> None:
        """The error names the key, and nothing is stored."""
        await log.create(started("a"), idempotency_key="k", fingerprint="f")
        with pytest.raises(IdempotencyConflict, match="'k'"):
            await log.create(started("b"), idempotency_key="k", fingerprint="g")
        with pytest.raises(IdempotencyConflict, match="'k'"):
            await log.find("k", fingerprint="g")
        with pytest.raises(UnknownRun):
            await log.head("b")
