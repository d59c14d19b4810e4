"""One short answer, broken off at every byte: the text is a prefix, and the end is true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.matrix.checks import (
    KEY,
    check_delivery,
    check_that_nothing_leaks,
    nothing_left_running,
    truth_of_cut,
    whole_body,
)
from tests.matrix.conftest import FIGURES
from tests.matrix.dialects import DIALECTS
from tests.matrix.truths import DEADLINES, HUNG_UP, CutAfter
from tests.matrix.ways import Delivery, run_to_end
from tickertape.core.attempts import NO_RETRIES
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.providers.http import HttpTransport
from tickertape.testing.answers import Answer
from tickertape.testing.fault_server import EndOfFile, Faults, FaultServer, Reset, Stall, Turn
from tickertape.testing.faults import Break

pytestmark = pytest.mark.virtual_time

TEXT = "naïve 東京 🙂"
# Without annotations, Azure's bytes are OpenAI's; only its chat is judged by another rule.
CUT_DIALECTS = [each for each in DIALECTS if each.shape == "openai" or each.name == "azure:chat"]
# Every byte counts: no annotations, which are most of what Azure sends.
ANSWER = Answer(text=TEXT, filters="off", prompt_filter_results=None)

BREAKS: dict[str, tuple[Callable[[int], Break], int]] = {
    "end of file inside the body": (lambda at: EndOfFile(after_bytes=at, ends_body=False), 1),
    "end of file": (lambda at: EndOfFile(after_bytes=at), 5),
    "reset": (lambda at: Reset(after_bytes=at), 5),
    "stall": (lambda at: Stall(after_bytes=at), 37),
}
"""How it breaks, and at every how many bytes."""


@pytest.mark.parametrize("kind", BREAKS)
@pytest.mark.parametrize("dialect", CUT_DIALECTS, ids=lambda dialect: dialect.name)
async def test_p2_a_cut_anywhere_is_told_truthfully(dialect, kind, record_property):
    """`completed` if the finish reason had come, and only then; a prefix of the text always."""
    broken, step = BREAKS[kind]
    async with (
        nothing_left_running(),
        asyncio.timeout(100_000),
        FaultServer(Turn(answer=ANSWER), api_key=KEY) as server,
        HttpTransport() as transport,
        Engine(MemoryLog(), deadlines=DEADLINES, retry=NO_RETRIES) as engine,
    ):
        provider = dialect.provider(transport, url=server.url, api_key=KEY)
        await run_to_end(engine, provider, dialect.request())
        body = await whole_body(server, Turn(answer=ANSWER))
        for at in range(0, len(body), step):
            server.play(Turn(answer=ANSWER, faults=Faults(failure=broken(at))))
            delivery = Delivery(events=await run_to_end(engine, provider, dialect.request()))
            cut = CutAfter(at, "stalled", HUNG_UP) if kind == "stall" else CutAfter(at)
            truth = truth_of_cut(cut, dialect, body)
            assert TEXT.startswith(truth.text)
            check_delivery(delivery, truth, attempts=1, is_told=False)
            check_that_nothing_leaks(delivery)
            assert await server.exchanges[-1].ended() in cut.ended_by
    cuts = len(range(0, len(body), step))
    record_property(FIGURES, f"{cuts} of {len(body)} bytes of {dialect.name}: {kind}")
