"""What the benchmark of relaying says of other logs than memory."""

from __future__ import annotations

import pytest

from benchmarks.relay import against_memory
from benchmarks.rig.bench import Measured


def windows(*, cpu_us, tokens_per_s):
    unused = dict.fromkeys(
        ("database_us", "cpu_share", "waited_share", "rig_share", "reads", "writes"), 0.0
    )
    return [
        Measured(
            tokens=1,
            cpu_us=cpu_us,
            tokens_per_s=tokens_per_s,
            grown_kib=0.0,
            lag_s=0.0,
            lateness_s=0.0,
            delays_s=(),
            **unused,
        )
    ]


@pytest.mark.parametrize(("cpu_us", "reached"), [(40.0, True), (41.0, False)])
def test_a_log_is_judged_by_its_share_of_memorys_throughput(cpu_us, reached):
    """By its own CPU; by the clock, with its database on the same core, it is only told."""
    found = {
        "ours": windows(cpu_us=20.0, tokens_per_s=40_000.0),
        "ours_redis": windows(cpu_us=cpu_us, tokens_per_s=10_000.0),
        "usual": windows(cpu_us=200.0, tokens_per_s=4_000.0),
    }
    own, clocked = against_memory("relay", found, share=0.5)
    assert {"ours_redis": 20 / cpu_us} == own.figures
    assert reached == own.is_reached
    assert {"ours_redis": 0.25} == clocked.figures
    assert clocked.is_reached is None
