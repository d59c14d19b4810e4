"""A short storm: three servers and Redis, as real processes, in bad weather.

`make chaos` lets a long one blow.
"""

from __future__ import annotations

import pytest

from tests.chaos.services import require
from tests.chaos.storm import Storm, blow


@pytest.mark.timeout(300)
async def test_p1_p2_every_promise_is_kept_in_a_storm():
    """Every reader has the log's text, every run one end; nothing hangs, and nothing is left."""
    require("redis-server", "curl")
    report = await blow(Storm(seed=20_261_126, runs=40, spread_s=12.0))
    print(report)  # shown when it fails: the seed and all figures
    assert () == report.wrong
    assert {"kill server", "stop server"} < set(report.blows)
    assert report.blows["kill redis"]
    assert report.proxy["reset"]
    assert report.outcomes["completed"]
