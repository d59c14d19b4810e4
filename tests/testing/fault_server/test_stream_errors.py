"""Errors inside a stream, in the shape of each provider."""

import typing

import pytest

from tickertape.testing.fault_server.stream_errors import error_frames
from tickertape.testing.faults import ErrorShape, StreamError

SHAPES = typing.get_args(ErrorShape)
NESTED = b'{"error":{"message":"no","type":"server_error"}}'
WITH_CODE = b'{"error":{"code":500,"message":"no","type":"server_error","param":null}}'

EXACTLY = {
    "openai": b"data: " + NESTED + b"\n\n",
    "string": b'data: {"error":"no"}\n\n',
    "event_flat": b'event: error\ndata: {"code":"server_error","message":"no","param":null}\n\n',
    "event_nested": b"event: error\ndata: " + NESTED + b"\n\n",
    "openrouter": (
        b'data: {"id":"gen-1","object":"chat.completion.chunk","created":1700000000,"model":"m",'
        b'"provider":"fault-server","choices":[{"index":0,"delta":{"content":""},'
        b'"finish_reason":"error"}],"error":{"code":502,"message":"no"}}\n\n'
    ),
    "openrouter_choice": (
        b'data: {"id":"gen-1","object":"chat.completion.chunk","created":1700000000,"model":"m",'
        b'"provider":"fault-server","choices":[{"index":0,"delta":{"content":""},'
        b'"finish_reason":"error","error":{"code":502,"message":"no"}}]}\n\n'
    ),
    "llama_cpp": b"data: " + WITH_CODE + b"\n\n",
    "vllm": b"data: " + WITH_CODE + b"\n\ndata: [DONE]\n\n",
    "responses_error": (
        b'event: error\ndata: {"type":"error","code":"server_error","message":"no","param":null,'
        b'"sequence_number":7}\n\n'
    ),
    "ollama": (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
        b'"model":"m","system_fingerprint":"fp_ollama","choices":[{"index":0,'
        b'"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    ),
    "bare": NESTED + b"\n\n",
}


def sent(shape, call):
    error = StreamError(shape=shape, message="no")
    return b"".join(frame.encode(b"\n") for frame in error_frames(error, call(), number=7))


@pytest.mark.parametrize("shape", EXACTLY)
def test_the_bytes_are_the_providers(shape, call):
    """As they go over the wire."""
    assert EXACTLY[shape] == sent(shape, call)


def test_a_failed_response_is_an_event_with_the_whole_response(call):
    """Its status and error say why."""
    found = sent("responses_failed", call)
    assert found.startswith(b'event: response.failed\ndata: {"type":"response.failed"')
    assert b'"status":"failed"' in found
    assert b'"error":{"code":"server_error","message":"no"}' in found
    assert b'"sequence_number":7' in found


def test_every_shape_is_tested():
    """A new one needs its bytes here."""
    assert set(SHAPES) == {*EXACTLY, "responses_failed"}
