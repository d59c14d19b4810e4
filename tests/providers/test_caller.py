"""A call is sent in one of two ways."""

from __future__ import annotations

import pytest

from tickertape.core.request import ChatRequest, Message
from tickertape.providers.background_responses import BackgroundStream
from tickertape.providers.caller import AnswerStream, Caller
from tickertape.providers.calls import CallPlan
from tickertape.providers.http import HttpTransport
from tickertape.testing.fault_server import Faults, FaultServer, Stall

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")], model="m")


@pytest.mark.parametrize("background", [False, True])
async def test_a_stream_of_the_asked_kind_is_returned(background):
    """Its translator is the call's own; closing stops the model, each in its way."""
    async with (
        FaultServer(Faults(failure=Stall(after_chunks=4))) as server,
        HttpTransport() as transport,
    ):

        async def sign():
            return {"Authorization": f"Bearer {server.api_key}"}

        caller = Caller(transport, sign=sign)
        call = CallPlan(api="responses", background=background).call(REQUEST)
        stream = await caller.open(f"{server.openai_base_url}/responses", call)
        assert isinstance(stream, BackgroundStream if background else AnswerStream)
        assert call.translator is stream.translator
        exchange = await server.next_exchange()
        await exchange.stalled()
        stream.close()
        await exchange.hung_up()
        await caller.close()
        assert (2 if background else 1) == len(server.requests)
