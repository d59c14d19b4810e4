"""Parts that engine tests share."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.processes import processes_over
from tickertape.core.request import ChatRequest, Message
from tickertape.logs.memory import MemoryLog
from tickertape.testing.scripted import ScriptedProvider


@pytest.fixture
def request_():
    return ChatRequest(messages=[Message(role="user", content="Hi")], model="m")


@pytest.fixture
async def provider():
    return ScriptedProvider()


@pytest.fixture
async def log():
    return MemoryLog(now=asyncio.get_running_loop().time)


@pytest.fixture
async def processes(log):
    async with processes_over(log) as processes:
        yield processes
