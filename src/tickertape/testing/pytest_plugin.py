"""Pytest fixtures for users' tests.

Enable them in a conftest.py: `pytest_plugins = ["tickertape.testing.pytest_plugin"]`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tickertape.testing.fault_server import FaultServer


@pytest.fixture
def fault_server() -> Iterator[FaultServer]:
    """Run a well-behaved fault server in a thread; `play` tells it how to misbehave."""
    with FaultServer.in_thread() as server:
        yield server
