"""Virtual time jumps from timer to timer, and a hang is an error."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.testing.clock import Stuck, run_in_virtual_time


def test_hours_pass_at_once_and_in_order():
    """Timers fire in the order of their times, each at its time."""
    fired = []

    async def main():
        loop = asyncio.get_running_loop()
        for delay_s in (7200, 60, 3600):
            loop.call_later(delay_s, lambda: fired.append(loop.time()))
        await asyncio.sleep(10_000)

    run_in_virtual_time(main())
    assert [60.0, 3600.0, 7200.0] == fired


def test_a_hang_is_stuck():
    """What would wait for ever in real time raises."""

    async def main():
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run_in_virtual_time(main())
