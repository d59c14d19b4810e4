"""The Redis log over the model of Redis, and over a simulated network, is a log like the others."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.simulation.log_link import Journal
from tests.simulation.loop import Owner
from tests.simulation.network import Network
from tests.simulation.redis_model import RedisModel
from tests.simulation.redis_port import RedisServer, SimulatedPort
from tests.simulation.trace import Trace
from tickertape.logs.redis import RedisLog
from tickertape.testing.log_contract import LogContract


@pytest.mark.virtual_time
class TestRedisLogOverTheModel(LogContract):
    """P8: what the real one keeps over a real Redis."""

    @pytest.fixture(autouse=True)
    def no_servers(self):
        self.servers = {}

    def open_log(self, place, *, retention_s, now):
        if place not in self.servers:
            model = RedisModel(lambda: int(now() * 1000))
            self.servers[place] = RedisServer(model, Journal())
        loop = asyncio.get_running_loop()
        network = Network(loop, Random(0), Owner("world"))
        trace = Trace(is_wanted=False, time=loop.time)
        port = SimulatedPort(self.servers[place], Owner("process"), network, trace)
        return RedisLog("", retention_s=retention_s, now=now, port=port)

    def after_crash(self, place):
        return place
