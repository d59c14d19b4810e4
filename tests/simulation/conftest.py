"""What the simulation's tests share: processes to play in, and a count of what was played."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

PLAYED = pytest.StashKey[dict[str, int]]()


@pytest.fixture(scope="session")
def players() -> Iterator[ProcessPoolExecutor]:
    """One process for each core: a schedule needs nothing from any other."""
    # Spawned: a fork would copy threads of other tests in the middle of something.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        yield pool


@pytest.fixture
def count_played(request):
    """Return what a test tells how many schedules of which kind it has played."""

    def count(kind: str, schedules: int) -> None:
        played = request.config.stash.setdefault(PLAYED, {})
        played[kind] = played.get(kind, 0) + schedules

    return count


def pytest_terminal_summary(terminalreporter, config):
    """Say how many schedules were played: a number that nobody should have to believe."""
    if played := config.stash.get(PLAYED, None):
        counts = ", ".join(f"{count:,} on {kind}" for kind, count in played.items())
        terminalreporter.write_line(f"simulation: {sum(played.values()):,} schedules ({counts})")
