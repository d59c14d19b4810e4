"""An Azure plain completion stream as Azure writes it, made from a list of tokens.

Knows the bytes only; the same tokens give the same bytes, always.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

_SAFE: Final = {
    category: {"filtered": False, "severity": "safe"}
    for category in ("hate", "self_harm", "sexual", "violence")
}


def whole(sent: Sequence[str]) -> list[bytes]:
    """Return a whole stream's chunks, from the prompt's annotations to `[DONE]`."""
    prompt = {"prompt_index": 0, "content_filter_results": _SAFE}
    count = len(sent)
    usage = {"completion_tokens": count, "prompt_tokens": 20, "total_tokens": count + 20}
    return [
        _event({"choices": [], "created": 0, "id": "", "prompt_filter_results": [prompt]}),
        *[_chunk([_choice(token)]) for token in sent],
        _chunk([_choice("", finish_reason="stop")]),
        _chunk([], usage=usage),
        b"data: [DONE]\n\n",
    ]


def _choice(text: str, *, finish_reason: str | None = None) -> dict[str, object]:
    return {
        "content_filter_results": _SAFE if text else {},
        "finish_reason": finish_reason,
        "index": 0,
        "logprobs": None,
        "text": text,
    }


def _chunk(choices: list[dict[str, object]], *, usage: object = None) -> bytes:
    return _event(
        {
            "choices": choices,
            "created": 1763900000,
            "id": "cmpl-CfZ0aXk2P",
            "model": "gpt-35-turbo-instruct",
            "object": "text_completion",
            "usage": usage,
        }
    )


def _event(value: object) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
