"""Retries, failover and hedging, up to the first event and never after it."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.attempts import RetryPolicy
from tickertape.core.errors import ProviderError
from tickertape.core.events import FilterReported, TextDelta, Usage, UsageReported
from tickertape.core.retry import Backoff
from tickertape.engine.attempts import Attempts
from tickertape.providers.base import Route
from tickertape.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.virtual_time

BACKOFF = Backoff(first_s=1, longest_s=8, max_retries=2)
RETRYABLE = ProviderError("provider_failed", "It failed.", is_retryable=True, status=503)
FINAL = ProviderError("provider_rejected", "No.", status=401)
PROMPT_REPORT = FilterReported(subject="prompt", annotations={})


class Deployments:
    """Scripted providers in a row, and the attempts over them."""

    def __init__(self, count, request):
        self.providers = [ScriptedProvider(name=f"p{index}") for index in range(count)]
        self.request = request

    def attempts(self, *, hedge_after_s=None, give_up_at_s=1e9):
        return Attempts(
            [Route(provider, f"m{index}") for index, provider in enumerate(self.providers)],
            self.request,
            policy=RetryPolicy(backoff=BACKOFF, hedge_after_s=hedge_after_s),
            give_up_at_s=give_up_at_s,
            fraction=lambda: 1.0,
        )

    def asked(self):
        return [len(provider.requests) for provider in self.providers]


@pytest.fixture
async def two(request_):
    return Deployments(2, request_)


@pytest.fixture
async def one(request_):
    return Deployments(1, request_)


def told(attempts):
    return [(ended.provider, ended.model, ended.result) for ended in attempts.ended]


async def test_the_first_that_speaks_is_chosen(two):
    """Its events are kept, the second deployment is not asked, each gets its own model's name."""
    two.providers[0].stream.send(PROMPT_REPORT)
    two.providers[0].stream.send("Hi")
    attempts = two.attempts()
    spoken = await attempts.speak()
    assert [PROMPT_REPORT, TextDelta("Hi")] == spoken.events
    assert [1, 0] == two.asked()
    assert "m0" == two.providers[0].requests[0].model
    assert [("p0", "m0", "chosen")] == told(attempts)
    assert not spoken.stream.is_closed


async def test_a_refusal_fails_over_at_once(two):
    """No wait while another deployment was never asked; every attempt is recorded."""
    two.providers[0].refusal = FINAL
    two.providers[1].stream.send("Hi")
    attempts = two.attempts()
    await attempts.speak()
    assert 0.0 == asyncio.get_running_loop().time()
    assert [("p0", "m0", "failed"), ("p1", "m1", "chosen")] == told(attempts)
    assert "provider_rejected" == attempts.ended[0].error.code


async def test_one_deployment_is_tried_again_after_its_wait(one):
    """Full jitter on a doubling wait; what fails to the end raises its last error."""
    one.providers[0].refusal = RETRYABLE
    attempts = one.attempts()
    with pytest.raises(ProviderError, match="It failed"):
        await attempts.speak()
    assert [3] == one.asked()
    assert [0.0, 1.0, 3.0] == [ended.begun_s for ended in attempts.ended]


async def test_retry_after_is_honoured(one):
    """The provider's own wait, when it is longer."""
    one.providers[0].refusal = ProviderError(
        "rate_limited", "Slow down.", is_retryable=True, retry_after_s=20
    )
    with pytest.raises(ProviderError):
        await one.attempts().speak()
    assert 40.0 == asyncio.get_running_loop().time()


async def test_no_wait_goes_beyond_the_runs_deadline(one):
    """The provider's error is a better answer than a stall."""
    one.providers[0].refusal = RETRYABLE
    with pytest.raises(ProviderError, match="It failed"):
        await one.attempts(give_up_at_s=2.5).speak()
    assert (1.0, [2]) == (asyncio.get_running_loop().time(), one.asked())


async def test_a_final_refusal_is_not_repeated(one):
    """A wrong key is as wrong the second time."""
    one.providers[0].refusal = FINAL
    with pytest.raises(ProviderError, match="No"):
        await one.attempts().speak()
    assert [1] == one.asked()


async def test_a_blocked_prompt_is_not_taken_elsewhere(two):
    """Looking for a laxer filter is not our business."""
    two.providers[0].refusal = ProviderError("content_blocked", "Blocked.")
    with pytest.raises(ProviderError, match="Blocked"):
        await two.attempts().speak()
    assert [1, 0] == two.asked()


@pytest.mark.parametrize("how", ["break_off", "end_of_file"])
async def test_a_stream_that_breaks_before_its_first_event_is_tried_again(one, how):
    """Nothing was shown, so nothing can double; the broken stream is closed."""
    provider = one.providers[0]
    broken = provider.stream
    if how == "break_off":
        broken.send(PROMPT_REPORT)
        broken.break_off(ProviderError("truncated", "It broke.", is_retryable=True))
    else:
        broken.end_of_file()

    async def answer_later():
        while provider.stream is broken:
            await asyncio.sleep(0.1)
        provider.stream.send("Hi")

    answering = asyncio.ensure_future(answer_later())
    spoken = await one.attempts().speak()
    await answering
    assert [TextDelta("Hi")] == spoken.events
    assert broken.is_closed


async def test_p9_what_a_failed_attempt_costs_is_recorded(one):
    """Each attempt is billed, so each one's report is kept, and the last one's is handed out."""
    one.providers[0].stream.send(UsageReported(Usage(input_tokens=3)))
    one.providers[0].stream.break_off(FINAL)
    attempts = one.attempts()
    with pytest.raises(ProviderError):
        await attempts.speak()
    assert [Usage(input_tokens=3)] == [ended.usage for ended in attempts.ended]
    assert [UsageReported(Usage(input_tokens=3))] == attempts.unspoken


async def test_a_slow_deployment_is_hedged_and_the_first_to_speak_wins(two):
    """The other one's connection is closed."""
    attempts = two.attempts(hedge_after_s=5)
    loop = asyncio.get_running_loop()
    loop.call_later(7, two.providers[1].stream.send, "fast")
    loop.call_later(9, two.providers[0].stream.send, "slow")
    spoken = await attempts.speak()
    assert ([TextDelta("fast")], 7.0) == (spoken.events, loop.time())
    assert two.providers[0].stream.is_closed
    assert [("p1", "m1", "chosen"), ("p0", "m0", "outrun")] == told(attempts)
    assert [0.0, 5.0] == sorted(ended.begun_s for ended in attempts.ended)


async def test_a_hedge_that_is_not_needed_is_not_started(two):
    """A prompt deployment costs one request."""
    asyncio.get_running_loop().call_later(4, two.providers[0].stream.send, "Hi")
    await two.attempts(hedge_after_s=5).speak()
    assert [1, 0] == two.asked()


async def test_a_hedged_deployment_that_fails_leaves_the_other_running(two):
    """The race goes on with who is left."""
    two.providers[1].refusal = FINAL
    asyncio.get_running_loop().call_later(30, two.providers[0].stream.send, "Hi")
    spoken = await two.attempts(hedge_after_s=5).speak()
    assert [TextDelta("Hi")] == spoken.events


async def test_when_all_hedged_deployments_fail_the_last_error_is_told(two):
    """Nothing hangs when nobody is left."""
    for provider in two.providers:
        provider.refusal = FINAL
    with pytest.raises(ProviderError, match="No"):
        await two.attempts(hedge_after_s=5).speak()
    assert [1, 1] == two.asked()


async def test_when_two_speak_in_one_moment_one_is_chosen_and_the_other_closed(two):
    """There is never a second stream that nobody reads."""
    attempts = two.attempts(hedge_after_s=5)
    loop = asyncio.get_running_loop()
    for provider in two.providers:
        loop.call_later(7, provider.stream.send, "now")
    spoken = await attempts.speak()
    open_streams = [p.stream for p in two.providers if not p.stream.is_closed]
    assert [spoken.stream] == open_streams


@pytest.mark.parametrize("hedge_after_s", [None, 5])
async def test_cancelling_closes_every_stream(two, hedge_after_s):
    """Whatever was under way."""
    speaking = asyncio.ensure_future(two.attempts(hedge_after_s=hedge_after_s).speak())
    await asyncio.sleep(8)
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    begun = [p.stream for p in two.providers if p.requests]
    assert begun
    assert all(stream.is_closed for stream in begun)
    assert {asyncio.current_task()} == asyncio.all_tasks()
