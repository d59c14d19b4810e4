"""What the benchmarks of servers share in their tests."""

from __future__ import annotations

import pytest

from benchmarks.rig import places


@pytest.fixture
def memory_only(monkeypatch):
    """Measure ours with the log in memory, and no other: whether a benchmark works, it shows."""
    monkeypatch.setattr(places, "available", lambda names=(): ["ours"])
