"""Plain completions: an answer as the chunks of a stream, or as one JSON body.

Source: OpenAI API reference, "Completions".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from tickertape.testing.answers import Choice
from tickertape.testing.fault_server.call import Call
from tickertape.testing.fault_server.chat import in_order, prompt_frames, usage_of
from tickertape.testing.fault_server.filters import (
    SAFE,
    choice_annotations,
    prompt_annotations,
)
from tickertape.testing.fault_server.frames import DONE, Frame, FrameKind, data_frame


def completion_frames(call: Call) -> list[Frame]:
    """Return the stream, `[DONE]` included. Several choices come interleaved."""
    frames = prompt_frames(call)
    streams = [_choice_frames(call, choice) for choice in in_order(call)]
    frames += [frame for row in zip_longest(*streams) for frame in row if frame is not None]
    if (usage := usage_of(call)) is not None and call.asked.wants_usage:
        frames.append(data_frame({**_head(call), "choices": [], "usage": usage}, "usage"))
    return [*frames, DONE]


def completion_body(call: Call) -> dict[str, Any]:
    """Return the answer to a request that wants no stream."""
    choices = [
        _entry(call, choice, "".join(choice.text), choice.finish_reason) for choice in call.choices
    ]
    body: dict[str, Any] = {**_head(call), "choices": choices, "usage": usage_of(call)}
    if (prompt := prompt_annotations(call)) is not None:
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": prompt}]
    return body


def _head(call: Call) -> dict[str, object]:
    return {
        "id": f"cmpl-{call.id}",
        "object": "text_completion",
        "created": call.created_at,
        "model": call.model,
    }


def _choice_frames(call: Call, choice: Choice) -> Iterator[Frame]:
    head = _head(call) | ({"usage": None} if call.asked.wants_usage else {})

    def frame(text: str, finish_reason: str | None, kind: FrameKind = "content") -> Frame:
        entry = _entry(call, choice, text, finish_reason)
        return data_frame({**head, "choices": [entry]}, kind)

    for piece in choice.text:
        yield frame(piece, None)
    yield frame("", choice.finish_reason, "finish_reason")


def _entry(call: Call, choice: Choice, text: str, finish_reason: str | None) -> dict[str, object]:
    entry: dict[str, object] = {
        "text": text,
        "index": choice.index,
        "logprobs": None,
        "finish_reason": finish_reason,
    }
    if call.filters != "off":
        entry["content_filter_results"] = choice_annotations(choice) if finish_reason else SAFE
    return entry
