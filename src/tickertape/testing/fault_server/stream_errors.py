"""How providers report an error inside a stream: the frames, by shape.

Shapes as seen in the wild: OpenAI, OpenRouter, llama.cpp, vLLM, Ollama, and
proxies that write their own. After them the stream ends.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from tickertape.testing.fault_server.call import Call
from tickertape.testing.fault_server.frames import DONE, Frame, data_frame
from tickertape.testing.fault_server.responses import numbered, response_body
from tickertape.testing.faults import StreamError


def error_frames(error: StreamError, call: Call, *, number: int) -> list[Frame]:
    """Return what replaces the rest of the stream; `number` is the next sequence number."""
    message = error.message
    nested = {"error": {"message": message, "type": "server_error"}}
    with_code = {"error": {"code": 500, "message": message, "type": "server_error", "param": None}}
    match error.shape:
        case "openai":
            return [data_frame(nested, "error")]
        case "string":
            return [data_frame({"error": message}, "error")]
        case "event_flat":
            flat = {"code": "server_error", "message": message, "param": None}
            return [data_frame(flat, "error", event="error")]
        case "event_nested":
            return [data_frame(nested, "error", event="error")]
        case "openrouter" | "openrouter_choice":
            return [_openrouter(call, message, in_choice=error.shape == "openrouter_choice")]
        case "llama_cpp":
            return [data_frame(with_code, "error")]
        case "vllm":
            return [data_frame(with_code, "error"), DONE]
        case "responses_error":
            return [_responses_error(message, number)]
        case "responses_failed":
            return [_response_failed(call, message, number)]
        case "ollama":
            return [_ollama(call)]
        case "bare":
            return [Frame((msgspec.json.encode(nested),), "error")]
        case _:
            assert_never(error.shape)


def _openrouter(call: Call, message: str, *, in_choice: bool) -> Frame:
    error = {"code": 502, "message": message}
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    payload: dict[str, object] = {
        "id": f"gen-{call.id}",
        "object": "chat.completion.chunk",
        "created": call.created_at,
        "model": call.model,
        "provider": "fault-server",
        "choices": [{**choice, "error": error}] if in_choice else [choice],
    }
    return data_frame(payload if in_choice else {**payload, "error": error}, "error")


def _responses_error(message: str, number: int) -> Frame:
    payload: dict[str, object] = {"type": "error", "code": "server_error", "message": message}
    return numbered({**payload, "param": None}, number, "error")


def _response_failed(call: Call, message: str, number: int) -> Frame:
    response = response_body(call, "failed")
    response["error"] = {"code": "server_error", "message": message}
    return numbered({"type": "response.failed", "response": response}, number, "error")


def _ollama(call: Call) -> Frame:
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    payload = {
        "id": f"chatcmpl-{call.id}",
        "object": "chat.completion.chunk",
        "created": call.created_at,
        "model": call.model,
        "system_fingerprint": "fp_ollama",
        "choices": [choice],
    }
    return data_frame(payload, "error")
