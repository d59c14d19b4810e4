"""An Azure Responses stream as Azure writes it, made from a list of tokens.

Knows the bytes only; the same tokens give the same bytes, always.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

_ITEM_ID: Final = "msg_68f0c5c1a2d081908b0f3a1b2c3d4e5f0a1b2c3d4e5f6a7b"
_PLACE: Final = {"item_id": _ITEM_ID, "output_index": 0, "content_index": 0}
_OBFUSCATION: Final = "aZ3kq9Xw2LmP7dRt"
"""Padding that hides how long a token is; what is left of it after the token is sent."""


def whole(sent: Sequence[str]) -> list[bytes]:
    """Return a whole stream's events, about 300 bytes for each token."""
    numbers = count()
    return [_event(next(numbers), *event) for event in _events(sent)]


def _events(sent: Sequence[str]) -> Iterator[tuple[str, dict[str, object]]]:
    text = "".join(sent)
    yield "response.created", {"response": _response("in_progress")}
    yield "response.in_progress", {"response": _response("in_progress")}
    yield "response.output_item.added", {"output_index": 0, "item": _message("in_progress")}
    yield "response.content_part.added", {**_PLACE, "part": _part("")}
    for token in sent:
        padding = _OBFUSCATION[len(token) :]
        delta = {"delta": token, "logprobs": [], "obfuscation": padding}
        yield "response.output_text.delta", {**_PLACE, **delta}
    yield "response.output_text.done", {**_PLACE, "text": text, "logprobs": []}
    yield "response.content_part.done", {**_PLACE, "part": _part(text)}
    whole_message = _message("completed", _part(text))
    yield "response.output_item.done", {"output_index": 0, "item": whole_message}
    usage = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": len(sent),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": len(sent) + 20,
    }
    response = {**_response("completed"), "output": [whole_message], "usage": usage}
    yield "response.completed", {"response": response}


def _response(status: str) -> dict[str, object]:
    return {
        "id": "resp_68f0c5c0d4a88190",
        "object": "response",
        "created_at": 1763900000,
        "status": status,
        "background": False,
        "content_filters": None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-4o",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }


def _message(status: str, *content: dict[str, object]) -> dict[str, object]:
    return {
        "id": _ITEM_ID,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": list(content),
    }


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _event(number: int, kind: str, fields: dict[str, object]) -> bytes:
    value = {"type": kind, "sequence_number": number, **fields}
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()
