"""When a stream of choices has ended properly, for both APIs. More is in their vectors."""

from __future__ import annotations

import pytest

from tickertape.providers.base import StreamEnd
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.choice_stream import EndPolicy
from tickertape.providers.translators.completions import CompletionsTranslator

FINISHED = b'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
TRANSLATORS = [ChatCompletionsTranslator, CompletionsTranslator]


@pytest.mark.parametrize("make", TRANSLATORS)
@pytest.mark.parametrize("policy", EndPolicy)
@pytest.mark.parametrize(
    ("body", "ends_well"),
    [
        (FINISHED + DONE, {EndPolicy.FINISH_REASON, EndPolicy.DONE_IS_ENOUGH}),
        (FINISHED, {EndPolicy.FINISH_REASON, EndPolicy.DONE_IS_ENOUGH}),
        (DONE, {EndPolicy.DONE_IS_ENOUGH}),
        (b"", set()),
    ],
)
def test_p2_the_policy_says_what_a_proper_end_is(make, policy, body, ends_well):
    """A finish reason is one under both policies; [DONE] alone under one."""
    translator = make(end_policy=policy)
    translator.feed(body)
    translator.close()
    assert (policy in ends_well) == (StreamEnd() == translator.end)


@pytest.mark.parametrize("make", TRANSLATORS)
def test_p2_a_choice_that_never_began_is_missing(make):
    """Two answers were asked for; the detail tells operators how many there were."""
    translator = make(expected_choices=2)
    translator.feed(FINISHED + DONE)
    assert "[DONE] when 1 of 2 choices had finished" == translator.end.detail
