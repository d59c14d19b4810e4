"""What all tests share: which event loop they run on, and no deadline of Hypothesis's own."""

from __future__ import annotations

import asyncio

from hypothesis import settings

from tickertape.testing.clock import VirtualTimeLoop

pytest_plugins = ["tickertape.testing.pytest_plugin", "tests.redis_server"]

# Hypothesis's default fails an example that takes 200 ms: a timing, which no test asserts.
settings.register_profile("tickertape", deadline=None)
settings.load_profile("tickertape")


def pytest_asyncio_loop_factories(config, item):
    """Run tests marked `virtual_time` on a loop whose clock jumps: deadlines take no time."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}
