"""What the first bytes of a body say, read without any of our own code.

The slowest reader that could be right: it splits on blank lines, and parses JSON
with the standard library.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Said(NamedTuple):
    """What whole events had said when the bytes stopped."""

    text: str
    is_finished: bool
    has_usage: bool


def read(api: str, body: bytes) -> Said:
    """Return what the cut body of an answer with one choice and LF has said."""
    text, is_finished, has_usage = "", False, False
    for block in body.split(b"\n\n")[:-1]:
        data = block[block.index(b"data: ") + 6 :]
        if data == b"[DONE]":
            break
        chunk = json.loads(data)
        piece, finishes, usage = _READERS[api](chunk)
        text += piece
        is_finished = is_finished or finishes
        has_usage = has_usage or bool(usage)
    return Said(text, is_finished, has_usage)


def _read_chat(chunk: dict[str, Any]) -> tuple[str, bool, object]:
    piece, finishes = "", False
    for choice in chunk["choices"]:
        piece += choice.get("delta", {}).get("content") or ""
        finishes = bool(choice["finish_reason"])
    return piece, finishes, chunk.get("usage")


def _read_completion(chunk: dict[str, Any]) -> tuple[str, bool, object]:
    piece, finishes = "", False
    for choice in chunk["choices"]:
        piece += choice["text"]
        finishes = bool(choice["finish_reason"])
    return piece, finishes, chunk.get("usage")


def _read_response(event: dict[str, Any]) -> tuple[str, bool, object]:
    kind = event["type"]
    piece = event["delta"] if kind == "response.output_text.delta" else ""
    usage = event["response"]["usage"] if "response" in event else None
    return piece, kind in {"response.completed", "response.incomplete"}, usage


_READERS = {"chat": _read_chat, "completions": _read_completion, "responses": _read_response}
