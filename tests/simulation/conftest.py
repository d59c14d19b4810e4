"""What the simulation's tests share: processes to play in, and a count of what was played."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

PLAYED = "played"
"""A user property of a test: a kind, and how many schedules of it were played."""


@pytest.fixture(scope="session")
def players() -> Iterator[ProcessPoolExecutor]:
    """One process for each core: a schedule needs nothing from any other."""
    # Spawned: a fork would copy threads of other tests in the middle of something.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        yield pool


@pytest.fixture
def count_played(record_property):
    """Return what a test tells how many schedules of which kind it has played."""
    return lambda kind, schedules: record_property(PLAYED, (kind, schedules))


def pytest_terminal_summary(terminalreporter):
    """Say how many schedules were played: a number that nobody should have to believe."""
    played: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == PLAYED:
                kind, schedules = value
                played[kind] = played.get(kind, 0) + schedules
    if played:
        counts = ", ".join(f"{count:,} on {kind}" for kind, count in sorted(played.items()))
        terminalreporter.write_line(f"simulation: {sum(played.values()):,} schedules ({counts})")
