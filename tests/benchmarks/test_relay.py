"""What the benchmark of relaying says of other logs than memory."""

from __future__ import annotations

from dataclasses import fields

import pytest

from benchmarks.relay import against_memory
from benchmarks.rig.bench import Measured


def windows(*, cpu_us, database_us=0.0):
    unused = {field.name: 0.0 for field in fields(Measured)}
    return [Measured(**{**unused, "cpu_us": cpu_us, "database_us": database_us})]


@pytest.mark.parametrize(("cpu_us", "reached"), [(40.0, True), (41.0, False)])
def test_a_log_is_judged_by_its_share_of_memorys_throughput(cpu_us, reached):
    """By the server's own CPU; how it is with the database on the same core is only told."""
    found = {
        "ours": windows(cpu_us=20.0),
        "ours_redis": windows(cpu_us=cpu_us, database_us=10.0),
        "usual": windows(cpu_us=200.0),
    }
    own, whole = against_memory("relay", found, share=0.5)
    assert {"ours_redis": 20 / cpu_us} == own.figures
    assert reached == own.is_reached
    assert {"ours_redis": 20 / (cpu_us + 10)} == whole.figures
    assert whole.is_reached is None
