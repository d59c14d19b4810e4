"""The Redis log: the contract, and what is its own."""

from __future__ import annotations

import itertools

import pytest

from tickertape.logs.redis import RedisLog
from tickertape.testing.log_contract import LogContract

prefixes = itertools.count()


class TestRedisLog(LogContract):
    """P8: it keeps what every log promises."""

    @pytest.fixture(autouse=True)
    def server(self, redis_server):
        self.url = redis_server.url
        self.places = {}

    def open_log(self, place, *, retention_s, now):
        # Two folders of two tests may have one name; a folder is always opened again.
        number = self.places.setdefault(place, next(prefixes))
        return RedisLog(self.url, prefix=f"test-{number}:", retention_s=retention_s, now=now)

    def after_crash(self, place):
        # What a process leaves behind is in Redis.
        return place
