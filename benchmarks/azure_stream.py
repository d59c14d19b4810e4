"""An Azure chat completion stream as Azure writes it, made from a list of tokens.

Knows the bytes only: not how they are cut, paced or framed. The same tokens
give the same bytes, always.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Final

_WORDS: Final = (
    " the", " of", " and", " stream", " answer", " token", " model", ",", ".", " is", " a",
    " server", "ing", "ed", " log", " reader", " return", " def", "():\n    ", "\n\n", " in", " it",
    " \"quoted\"", " C:\\path", " naïve", " façade", " —", " 答え", " 🙂", "1", "2", " <b>", "&",
)  # fmt: skip
"""Mostly plain words, with what needs escaping or more than one byte here and there."""

_SAFE: Final = {
    category: {"filtered": False, "severity": "safe"}
    for category in ("hate", "self_harm", "sexual", "violence")
}


def tokens(count: int, *, seed: int = 0) -> list[str]:
    """Return `count` token texts; another seed gives other texts."""
    return random.Random(seed).choices(_WORDS, k=count)


def opening() -> list[bytes]:
    """Return what comes before the first token: the prompt's annotations, the role."""
    prompt = {"prompt_index": 0, "content_filter_results": _SAFE}
    return [
        _event({"choices": [], "created": 0, "id": "", "prompt_filter_results": [prompt]}),
        _chunk([_choice({"role": "assistant", "content": "", "refusal": None})]),
    ]


def token_chunk(token: str) -> bytes:
    """Return the chunk that brings one token, about 400 bytes."""
    return _BEFORE_TOKEN + json.dumps(token, ensure_ascii=False).encode() + _AFTER_TOKEN


def closing(count: int) -> list[bytes]:
    """Return what comes after `count` tokens: the finish reason, the usage, `[DONE]`."""
    usage = {"completion_tokens": count, "prompt_tokens": 20, "total_tokens": count + 20}
    return [
        _chunk([_choice({}, finish_reason="stop")]),
        _chunk([], usage=usage),
        b"data: [DONE]\n\n",
    ]


def whole(sent: Sequence[str]) -> list[bytes]:
    """Return a whole stream's chunks, from the prompt's annotations to `[DONE]`."""
    return [*opening(), *map(token_chunk, sent), *closing(len(sent))]


def _choice(delta: dict[str, object], *, finish_reason: str | None = None) -> dict[str, object]:
    return {
        "content_filter_results": _SAFE if delta.get("content") else {},
        "delta": delta,
        "finish_reason": finish_reason,
        "index": 0,
    }


def _chunk(choices: list[dict[str, object]], *, usage: object = None) -> bytes:
    return _event(
        {
            "choices": choices,
            "created": 1763900000,
            "id": "chatcmpl-CfZ0aXk2P",
            "model": "gpt-4o",
            "object": "chat.completion.chunk",
            "usage": usage,
        }
    )


def _event(value: object) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


_BEFORE_TOKEN, _AFTER_TOKEN = _chunk([_choice({"content": "@"})]).split(b'"@"')
