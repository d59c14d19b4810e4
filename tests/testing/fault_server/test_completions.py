"""Plain completions: the chunks, and the whole body."""

from tests.testing.fault_server.raw_client import events
from tickertape.testing.fault_server.completions import completion_body, completion_frames


def stream(call):
    return events(b"".join(frame.encode(b"\n") for frame in completion_frames(call)))


def test_text_stands_in_the_choice(call):
    """No role, no delta."""
    *chunks, done = stream(call())
    assert [("Hello", None), (" world", None), ("", "stop")] == [
        (chunk["choices"][0]["text"], chunk["choices"][0]["finish_reason"]) for chunk in chunks
    ]
    assert {"text_completion"} == {chunk["object"] for chunk in chunks}
    assert "[DONE]" == done


def test_azure_annotates_prompt_and_chunks(call):
    """As with chat."""
    first, second, *_ = stream(call(flavor="azure"))
    assert "prompt_filter_results" in first
    assert "hate" in second["choices"][0]["content_filter_results"]


def test_choices_come_interleaved(call):
    """Two of them, three chunks each."""
    chunks = stream(call(n=2))[:-1]
    assert [0, 1] * 3 == [chunk["choices"][0]["index"] for chunk in chunks]


def test_usage_comes_last_when_asked_for(call):
    """Without choices."""
    last = stream(call(wants_usage=True))[-2]
    assert ([], 2) == (last["choices"], last["usage"]["completion_tokens"])


def test_the_whole_body_is_the_stream_joined(call):
    """For requests that want no stream."""
    body = completion_body(call(flavor="azure"))
    assert "Hello world" == body["choices"][0]["text"]
    assert "stop" == body["choices"][0]["finish_reason"]
    assert "prompt_filter_results" in body
