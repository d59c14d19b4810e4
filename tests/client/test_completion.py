"""Plain completion for scripts: the request it makes, and who answers it."""

from __future__ import annotations

import inspect

import pytest

from tickertape.client.completion import (
    CompletionSettings,
    async_stream_completion,
    make_completion_request,
    stream_completion,
)
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import InvalidRequest, RunFailed
from tickertape.core.request import CompletionRequest
from tickertape.testing.answers import Answer
from tickertape.testing.faults import EndOfFile, Faults, Stall

PROMPT = "Tell me about Azure:"
FUNCTIONS = [stream_completion, async_stream_completion]


def test_a_setting_that_is_none_is_left_out():
    """So that the provider's own default holds."""
    assert CompletionRequest(prompt=PROMPT) == make_completion_request(
        PROMPT, None, max_tokens=None, temperature=None, stop=None
    )


def test_several_prompts_may_be_any_sequence():
    """A tuple is as good as a list."""
    assert CompletionRequest(prompt=["a", "b"]) == make_completion_request(("a", "b"))


@pytest.mark.parametrize(
    ("prompt", "settings", "param"),
    [
        ("", {}, "prompt"),
        ([], {}, "prompt"),
        (None, {}, "prompt"),
        ([{"role": "user", "content": "Hi"}], {}, "prompt[0]"),
        (PROMPT, {"max_tokens": "many"}, "max_tokens"),
        (PROMPT, {"messages": []}, "messages"),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_wrong_input_is_refused_at_once_by_name(function, prompt, settings, param):
    """Before anything is read or sent, with the field in the message."""
    with pytest.raises(InvalidRequest) as caught:
        function(prompt, **settings)
    assert param == caught.value.param
    assert param in str(caught.value)


def test_every_setting_of_a_request_can_be_given():
    """What the functions take is what a request has."""
    named = {"prompt", "model", "max_tokens", "temperature"}
    assert set(CompletionRequest.__struct_fields__) - named == set(
        CompletionSettings.__annotations__
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_public_parameters_stay(function):
    """Two by position, the others by name."""
    parameters = list(inspect.signature(function).parameters.values())
    assert ["prompt", "deployment"] == [
        parameter.name
        for parameter in parameters
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert {"max_tokens", "temperature", "deadlines"} <= {
        parameter.name
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def test_the_prompt_goes_to_the_completions_of_openai(fault_server):
    """With the model and the settings, as the protocol names them."""
    fault_server.play(Answer(text=("Hel", "lo")))
    stream = stream_completion(PROMPT, "gpt35", max_tokens=500, temperature=0.7, suffix="!")
    assert "Hello" == "".join(stream)
    request = fault_server.requests[0]
    assert "/v1/completions" == request.path
    assert (PROMPT, "gpt35", 500, 0.7, "!", True) == tuple(
        request.body[name]
        for name in ("prompt", "model", "max_tokens", "temperature", "suffix", "stream")
    )
    assert ("stop", 2, "completed") == (
        stream.response.finish_reason,
        stream.response.usage.output_tokens,
        stream.response.outcome,
    )


def test_the_prompt_goes_to_the_completions_of_azure(fault_server, unconfigured):
    """The deployment is in the path."""
    for name, value in fault_server.azure_environment.items():
        unconfigured.setenv(name, value)
    assert "".join(stream_completion(PROMPT, "azure/gpt-35"))
    assert "/openai/deployments/gpt-35/completions" == fault_server.requests[0].path


async def test_async_streams_bring_the_same(fault_server):
    """From what the environment configures."""
    fault_server.play(Answer(text=("Hel", "lo")))
    assert "Hello" == "".join([text async for text in async_stream_completion(PROMPT)])
    assert "/v1/completions" == fault_server.requests[0].path


async def test_a_catalog_that_is_passed_in_is_asked(catalog, provider):
    """And gets the request as it is."""
    provider.stream.finish("Hello")
    stream = async_stream_completion(PROMPT, "scripted/gpt", catalog=catalog, seed=7)
    assert ["Hello"] == [text async for text in stream]
    assert [CompletionRequest(prompt=PROMPT, model="gpt", seed=7)] == provider.requests


@pytest.mark.virtual_time
async def test_p5_deadlines_are_a_parameter(catalog, provider):
    """A model that falls silent fails the run."""
    provider.stream.send("Hel")
    deadlines = Deadlines(stall_timeout_s=5)
    stream = async_stream_completion(PROMPT, catalog=catalog, deadlines=deadlines)
    with pytest.raises(RunFailed, match="stalled.* 5 s"):
        async for _ in stream:
            pass


def test_p2_a_completion_that_was_cut_raises(fault_server):
    """With the partial text on the error."""
    fault_server.play(Faults(failure=EndOfFile(after_chunks=3)))
    stream = stream_completion(PROMPT)
    with pytest.raises(RunFailed, match="truncated") as caught:
        list(stream)
    assert caught.value.partial_text == stream.response.content != ""


def test_p4_leaving_a_completion_closes_its_connection(fault_server):
    """As for a chat."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    with stream_completion(PROMPT) as stream:
        next(stream)
    assert fault_server.next_exchange().result().hung_up().result() == 3


def test_other_choices_are_in_the_response(fault_server):
    """The iteration is over the first one."""
    fault_server.play(Answer(text=("Hel", "lo"), n=2))
    stream = stream_completion(PROMPT, n=2)
    assert "Hello" == "".join(stream)
    assert {0, 1} == set(stream.response.state.choices)
    assert stream.response.state.choices[1].text


@pytest.mark.model
def test_the_embedded_model_goes_on_from_a_prompt(unconfigured):
    """It has the same API, so nothing needs to be configured."""
    stream = stream_completion("One, two, three,", max_tokens=4)
    assert "".join(stream)
    assert ("local", "length") == (
        stream.response.state.started.provider,
        stream.response.finish_reason,
    )
