"""What all tests share: which event loop they run on."""

from __future__ import annotations

import asyncio

from tickertape.testing.clock import VirtualTimeLoop


def pytest_asyncio_loop_factories(config, item):
    """Run tests marked `virtual_time` on a loop whose clock jumps: deadlines take no time."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}
