"""What is sent for a request, and who understands its answer."""

from __future__ import annotations

import pytest
from msgspec import json

from tickertape.core.errors import InvalidRequest
from tickertape.core.request import ChatRequest, CompletionRequest, Message
from tickertape.providers.calls import CallPlan
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.choice_stream import EndPolicy
from tickertape.providers.translators.completions import CompletionsTranslator
from tickertape.providers.translators.responses import ResponsesTranslator

HELLO = [Message(role="user", content="Hello")]
ONE_STOP = b'data: {"choices":[{"index":0,"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def test_of_a_chat_only_what_the_caller_set_is_sent():
    """What is unset is left to the provider; usage can be left out."""
    request = ChatRequest(messages=HELLO, model="m", temperature=0.0, stop=["a"], n=2)
    call = CallPlan(include_usage=False, extra_fields={"x": 1, "n": 9}).call(request)
    assert "chat/completions" == call.path
    assert isinstance(call.translator, ChatCompletionsTranslator)
    assert {
        "messages": [{"role": "user", "content": "Hello"}],
        "model": "m",
        "temperature": 0.0,
        "stop": ["a"],
        "n": 2,
        "x": 1,
        "stream": True,
    } == json.decode(call.body)


@pytest.mark.parametrize("api", ["chat_completions", "responses"])
def test_a_completion_is_sent_as_one_whatever_the_api(api):
    """The API is how a chat is asked for; a prompt has only one."""
    request = CompletionRequest(prompt="Once", model="m", suffix="end", max_tokens=3)
    call = CallPlan(api=api).call(request)
    assert "completions" == call.path
    assert isinstance(call.translator, CompletionsTranslator)
    assert not call.is_background
    assert {
        "prompt": "Once",
        "model": "m",
        "suffix": "end",
        "max_tokens": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    } == json.decode(call.body)


def test_a_response_is_not_stored_unless_it_is_asked_for():
    """By default nothing is kept at the provider; extra fields may say otherwise."""
    request = ChatRequest(messages=HELLO, model="m")
    call = CallPlan(api="responses").call(request)
    assert "responses" == call.path
    assert isinstance(call.translator, ResponsesTranslator)
    assert not call.is_background
    assert {
        "input": [{"type": "message", "role": "user", "content": "Hello"}],
        "model": "m",
        "store": False,
        "stream": True,
    } == json.decode(call.body)
    extra = {"store": True, "x": 1, "model": "other"}
    sent = json.decode(CallPlan(api="responses", extra_fields=extra).call(request).body)
    assert (True, 1, "m") == (sent["store"], sent["x"], sent["model"])


def test_a_background_response_is_stored():
    """It can be read again only where it is kept."""
    plan = CallPlan(api="responses", background=True, extra_fields={"store": False})
    call = plan.call(ChatRequest(messages=HELLO, model="m"))
    assert call.is_background
    assert {"background": True, "store": True}.items() <= json.decode(call.body).items()


@pytest.mark.parametrize(
    ("request_", "is_enough"),
    [
        (ChatRequest(messages=HELLO, model="m"), True),
        (ChatRequest(messages=HELLO, model="m", n=1), True),
        (ChatRequest(messages=HELLO, model="m", n=2), False),
        (CompletionRequest(prompt="a", model="m"), True),
        (CompletionRequest(prompt="a", model="m", n=2), False),
        (CompletionRequest(prompt=["a"], model="m"), True),
        (CompletionRequest(prompt=["a", "b"], model="m"), False),
    ],
)
def test_p2_every_answer_that_was_asked_for_must_end(request_, is_enough):
    """`n` answers for each prompt: one finish reason is enough only for one."""
    translator = CallPlan().call(request_).translator
    translator.feed(ONE_STOP)
    assert is_enough == (translator.end.error is None)


def test_the_end_policy_is_passed_on():
    """A server that leaves finish reasons out is believed its [DONE]."""
    plan = CallPlan(end_policy=EndPolicy.DONE_IS_ENOUGH)
    for request in (
        ChatRequest(messages=HELLO, model="m"),
        CompletionRequest(prompt="a", model="m"),
    ):
        translator = plan.call(request).translator
        translator.feed(b"data: [DONE]\n\n")
        assert translator.end.error is None


@pytest.mark.parametrize("request_", [ChatRequest(messages=HELLO), CompletionRequest(prompt="a")])
@pytest.mark.parametrize("api", ["chat_completions", "responses"])
def test_a_request_without_a_model_is_refused(request_, api):
    """Nothing is sent where no model is named."""
    with pytest.raises(InvalidRequest) as caught:
        CallPlan(api=api).call(request_)
    assert "model" == caught.value.param
