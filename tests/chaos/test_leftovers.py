"""What a storm leaves behind is found: one leak each."""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from tests.chaos.leftovers import Census, kept_for_ever, left_over
from tests.chaos.process import Footprint

BEFORE = Footprint(files=Counter({"socket": 10, "pipe": 4}), threads=4, resident_mib=60.0)


def census(footprint=BEFORE, *, running_runs=0, redis_connections=6):
    return Census(
        servers=(BEFORE, footprint),
        running_runs=running_runs,
        redis_connections=redis_connections,
    )


def test_nothing_is_left_over_where_everything_is_as_it_was():
    """A server may also have less than before: it was started again."""
    assert [] == list(left_over(census(), census()))
    assert [] == list(left_over(census(), census(replace(BEFORE, files=Counter({"socket": 2})))))


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (census(replace(BEFORE, files=Counter({"socket": 14, "pipe": 4}))), "{'socket': 4}"),
        (census(replace(BEFORE, threads=9)), "9 threads"),
        (census(replace(BEFORE, resident_mib=110.0)), "110 MiB"),
        (census(running_runs=2), "2 runs still run"),
        (census(redis_connections=7), "7 connections to Redis; there were 6"),
    ],
    ids=["sockets", "threads", "memory", "runs", "connections"],
)
def test_it_finds_what_is_left_over(after, found):
    """File descriptors, threads, memory, runs and connections come back to where they began."""
    [sentence] = left_over(census(), after)
    assert found in sentence


def test_it_finds_keys_without_a_lifetime():
    """One sentence for each kind of them."""
    keys = Counter({"tt:run": 7, "tt:run for ever": 2, "tt:lease": 1})
    assert ["2 keys tt:run for ever"] == list(kept_for_ever(keys))
