"""A crew does every job, a few at a time, and lets the loop go on."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.engine.crew import AT_ONCE, for_each

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, 100])
async def test_each_job_is_done_once(count):
    """No more than a few at the same time."""
    done, at_work, most = [], 0, 0

    async def do(item):
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(item % 3)
        at_work -= 1
        done.append(item)

    await for_each(list(range(count)), do)
    assert list(range(count)) == sorted(done)
    assert min(count, AT_ONCE) == most


async def test_jobs_that_wait_for_nothing_do_not_stall_the_loop():
    """Others get their turns in between."""
    done = []

    async def do(item):
        done.append(item)

    crew = asyncio.ensure_future(for_each(list(range(1000)), do))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(done) <= 2 * AT_ONCE
    await crew
