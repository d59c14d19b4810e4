"""A step always ends in one truthful RunEnded, whatever its provider does."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ProviderError
from tickertape.core.events import (
    ChoiceFinished,
    FilterReported,
    RunEnded,
    RunError,
    RunStarted,
    TextDelta,
    Usage,
    UsageReported,
)
from tickertape.engine.step import RELEASE_TIMEOUT_S, Step
from tickertape.providers.base import Route, StreamEnd
from tickertape.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.virtual_time

STARTED = RunStarted(run_id="r", model="m", provider="scripted", created_at=0.0)
STOP = ChoiceFinished(finish_reason="stop", raw_finish_reason="stop")
DEADLINES = Deadlines(
    first_progress_timeout_s=100, stall_timeout_s=10, finish_timeout_s=3, run_timeout_s=500
)


@pytest.fixture
async def provider():
    return ScriptedProvider()


@pytest.fixture
async def step(provider, request_):
    step = Step([Route(provider, "m")], request_, started=STARTED, deadlines=DEADLINES)
    yield step
    step.close()


async def drain(step):
    events = []
    while batch := await step.next():
        events += batch
    return events


async def test_a_whole_answer_ends_completed(provider, step):
    """What the model said, why it stopped and what it cost are in the end."""
    provider.stream.send("Hel", "lo")
    provider.stream.send(UsageReported(Usage(input_tokens=3, output_tokens=2)))
    provider.stream.finish(" 👋")
    *events, ended = await drain(step)
    assert [TextDelta("Hello"), UsageReported(Usage(input_tokens=3, output_tokens=2))] == events[:2]
    assert ("completed", "stop", 7) == (ended.outcome, ended.finish_reason, ended.length)
    assert Usage(input_tokens=3, output_tokens=2) == ended.usage
    await step.release()
    assert provider.stream.is_closed


async def test_a_whole_answers_connection_may_end_by_itself(provider, step):
    """Read to its end it can be used again; the wait for that is short."""
    provider.stream.finish("Hi")
    await drain(step)
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, provider.stream.end_of_file)
    await step.release()
    assert 0.1 == loop.time()


async def test_a_connection_that_does_not_end_is_closed(provider, step):
    """A provider that keeps it open for another reason is not waited for."""
    provider.stream.finish("Hi")
    await drain(step)
    await step.release()
    assert (RELEASE_TIMEOUT_S, True) == (
        asyncio.get_running_loop().time(),
        provider.stream.is_closed,
    )


async def test_a_broken_answers_connection_is_not_waited_for(provider, step):
    """There is nothing to use again."""
    provider.stream.send("Hi")
    provider.stream.end_of_file()
    await drain(step)
    assert provider.stream.is_closed


async def test_one_read_is_one_batch(provider, step):
    """A burst comes as one batch with its deltas merged."""
    provider.stream.send("a", "b", "c")
    assert [TextDelta("abc")] == list(await step.next())


async def test_p2_end_of_file_without_an_end_is_truncated(provider, step):
    """A clean end of file is no success."""
    provider.stream.send("Hel")
    provider.stream.end_of_file()
    ended = (await drain(step))[-1]
    assert ("failed", "truncated", 3) == (ended.outcome, ended.error.code, ended.length)


async def test_p2_a_reset_after_the_finish_reason_is_a_whole_answer(provider, step):
    """Only the end marker was lost, not the answer."""
    provider.stream.send("Hi", STOP)
    provider.stream.break_off(ProviderError("truncated", "The connection broke."))
    assert "completed" == (await drain(step))[-1].outcome


async def test_a_reset_in_mid_answer_fails_with_the_providers_code(provider, step):
    """The partial text stays; the detail is kept for operators only."""
    provider.stream.send("Hi")
    provider.stream.break_off(ProviderError("truncated", "The connection broke.", detail="secret"))
    ended = (await drain(step))[-1]
    assert ("failed", "truncated") == (ended.outcome, ended.error.code)
    assert "secret" not in str(ended)
    assert "secret" == step.detail


async def test_a_refused_request_fails_with_its_code(provider, step):
    """No stream was opened; the run ends all the same."""
    provider.refusal = ProviderError("rate_limited", "Too many.", is_retryable=True)
    assert [RunError(code="rate_limited", message="Too many.", is_retryable=True)] == [
        event.error for event in await drain(step)
    ]


async def test_an_error_in_the_stream_keeps_what_came_before(provider, step):
    """Text and error in one read: both arrive, in order."""
    error = RunError(code="provider_failed", message="It failed.")
    provider.stream.send("Hi", end=StreamEnd(error))
    text, ended = await drain(step)
    assert (TextDelta("Hi"), error) == (text, ended.error)


async def test_our_own_fault_ends_internal(provider, step, caplog):
    """A bug in a translator is logged, and readers get a truthful end."""
    provider.stream.send("Hi")
    provider.stream.translator.batches.clear()
    assert ["internal"] == [event.error.code for event in await drain(step)]
    assert "IndexError" in caplog.text


async def test_p4_cancel_works_while_the_provider_is_silent(provider, step):
    """The waiting read ends, the connection is closed, the partial text stays."""
    provider.stream.send("Hel")
    await step.next()
    waiting = asyncio.ensure_future(step.next())
    await asyncio.sleep(0)
    step.cancel("user")
    (ended,) = await waiting
    assert ("cancelled", "user", 3) == (ended.outcome, ended.cancelled_by, ended.length)
    assert provider.stream.is_closed


async def test_p4_cancel_works_before_the_provider_has_answered(provider, step):
    """A request that waits for its status is given up."""
    provider.may_open.clear()
    waiting = asyncio.ensure_future(step.next())
    await asyncio.sleep(0)
    step.cancel("shutdown")
    assert ["shutdown"] == [event.cancelled_by for event in await waiting]


async def test_p4_cancel_before_the_first_pull_sends_no_request(provider, step):
    """Nothing is generated for a run that was cancelled before it began."""
    step.cancel("user")
    assert ["cancelled"] == [event.outcome for event in await drain(step)]
    assert [] == provider.requests


async def test_a_cancel_that_comes_after_the_model_stopped_is_too_late(provider, step):
    """The whole answer is there, so `completed` is the truth."""
    provider.stream.send("Hi", STOP)
    await step.next()
    step.cancel("user")
    assert ["completed"] == [event.outcome for event in await step.next()]


async def test_cancelling_the_task_rises(provider, step):
    """`CancelledError` is the caller's, never an outcome."""
    waiting = asyncio.ensure_future(step.next())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert step.state.ended is None


@pytest.mark.parametrize(
    ("sent", "code", "after_s"),
    [
        ([], "stalled", 100),
        (["Hi"], "stalled", 10),
        ([FilterReported(subject="prompt", annotations={"hate": {}})], "stalled", 100),
    ],
    ids=["nothing at all", "text and then nothing", "annotations are no progress"],
)
async def test_p5_nobody_waits_for_ever(provider, step, sent, code, after_s):
    """Silence ends the run at the deadline that fits."""
    if sent:
        provider.stream.send(*sent)
    ended = (await drain(step))[-1]
    assert ("failed", code, float(after_s)) == (
        ended.outcome,
        ended.error.code,
        ended.timings.duration_s,
    )
    assert provider.stream.is_closed


async def test_p5_a_provider_that_never_answers_is_given_up(provider, step):
    """The first deadline counts from the start, not from the answer's headers."""
    provider.may_open.clear()
    (ended,) = await drain(step)
    assert ("stalled", 100.0) == (ended.error.code, ended.timings.duration_s)


async def test_p5_the_whole_run_has_a_deadline(provider, step):
    """A provider that trickles for ever is stopped."""

    async def trickle():
        while not provider.stream.is_closed:
            provider.stream.send("x")
            await asyncio.sleep(9)

    trickling = asyncio.ensure_future(trickle())
    ended = (await drain(step))[-1]
    await trickling
    assert ("timed_out", 500.0) == (ended.error.code, ended.timings.duration_s)


async def test_p5_reads_without_events_are_no_progress(provider, step):
    """Heartbeats arrive, text does not: that is a stall."""

    async def beat():
        while not provider.stream.is_closed:
            provider.stream.send()
            await asyncio.sleep(1)

    provider.stream.send("Hi")
    beating = asyncio.ensure_future(beat())
    ended = (await drain(step))[-1]
    await beating
    assert ("stalled", 10.0) == (ended.error.code, ended.timings.duration_s)


async def test_p5_the_callers_own_time_is_no_stall(provider, step):
    """A reader may think between two pulls; silence counts while it waits."""
    provider.stream.send("a")
    await step.next()
    provider.stream.send("b")
    await asyncio.sleep(60)
    assert [TextDelta("b")] == list(await step.next())
    await asyncio.sleep(60)
    ended = (await drain(step))[-1]
    assert ("stalled", 130.0) == (ended.error.code, ended.timings.duration_s)


async def test_a_stream_that_stays_open_after_the_finish_reason_ends_soon_and_well(provider, step):
    """The text is whole, so readers don't wait for the connection to end."""
    provider.stream.send("Hi", STOP)
    ended = (await drain(step))[-1]
    assert ("completed", 3.0) == (ended.outcome, ended.timings.duration_s)


async def test_p2_there_is_exactly_one_end(provider, step):
    """Pulling on gives nothing, and a late cancel changes nothing."""
    provider.stream.finish("Hi")
    events = await drain(step)
    step.cancel("user")
    assert () == await step.next()
    assert 1 == sum(isinstance(event, RunEnded) for event in events)


async def test_p9_timings_are_in_every_end(provider, step):
    """Time to the first delta, and the whole time."""
    await asyncio.sleep(2)
    provider.stream.send("Hi")
    await step.next()
    await asyncio.sleep(3)
    provider.stream.finish()
    ended = (await drain(step))[-1]
    assert (2.0, 5.0) == (ended.timings.first_progress_s, ended.timings.duration_s)
