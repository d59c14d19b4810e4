"""What the tests of logs share."""

from __future__ import annotations

import pytest

from tests.logs.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """One redis-server for all tests that leave it as it is; each has a prefix of its own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server
