"""Parts that engine tests share."""

from __future__ import annotations

import pytest

from tickertape.core.request import ChatRequest, Message


@pytest.fixture
def request_():
    return ChatRequest(messages=[Message(role="user", content="Hi")], model="m")
