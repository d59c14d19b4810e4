"""Chat completions: an answer as the chunks of a stream, or as one JSON body.

Sources: OpenAI API reference, "Chat Completions"; Azure OpenAI documentation,
"Content streaming".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from tickertape.core.events import Usage
from tickertape.testing.answers import Choice, usage_for
from tickertape.testing.fault_server.call import Call
from tickertape.testing.fault_server.filters import (
    BLOCKED_LATER,
    SAFE,
    choice_annotations,
    offsets,
    prompt_annotations,
)
from tickertape.testing.fault_server.frames import DONE, Frame, data_frame

# How much text a late annotation covers. Azure promises one within about 1,000
# characters; a short test answer should have more than one.
_PIECES_PER_ANNOTATION = 8


def chat_frames(call: Call) -> list[Frame]:
    """Return the stream, `[DONE]` included. Several choices come interleaved."""
    frames = prompt_frames(call)
    streams = [_choice_frames(call, choice) for choice in in_order(call)]
    frames += [frame for row in zip_longest(*streams) for frame in row if frame is not None]
    if call.filters == "async":
        frames += [_annotation(choice, last=True) for choice in in_order(call)]
    if (usage := usage_of(call)) is not None and call.asked.wants_usage:
        frames.append(data_frame({**_head(call), "choices": [], "usage": usage}, "usage"))
    return [*frames, DONE]


def chat_body(call: Call) -> dict[str, Any]:
    """Return the answer to a request that wants no stream."""
    body: dict[str, Any] = {
        **_head(call),
        "object": "chat.completion",
        "choices": [_whole_choice(call, choice) for choice in call.choices],
        "usage": usage_of(call),
    }
    if (prompt := prompt_annotations(call)) is not None:
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": prompt}]
    return body


def prompt_frames(call: Call) -> list[Frame]:
    """Return Azure's first chunk, which has no choices, or nothing."""
    annotations = prompt_annotations(call)
    if annotations is None:
        return []
    payload = {
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": annotations}],
    }
    return [data_frame(payload, "prompt_filter_results")]


def in_order(call: Call) -> tuple[Choice, ...]:
    """Return the choices in the order in which their chunks come."""
    choices = call.choices
    return choices if call.answer.choice_order == "ascending" else choices[::-1]


def usage_of(call: Call) -> dict[str, object] | None:
    """Return the usage in the words of chat completions."""
    usage = usage_for(call.answer, call.choices, input_tokens=call.asked.input_tokens)
    return None if usage is None else _usage(usage)


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
    }


def _head(call: Call) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{call.id}",
        "object": "chat.completion.chunk",
        "created": call.created_at,
        "model": call.model,
        "system_fingerprint": "fp_faultserver",
    }


def _choice_frames(call: Call, choice: Choice) -> Iterator[Frame]:
    head = _head(call) | ({"usage": None} if call.asked.wants_usage else {})
    is_annotated = call.filters == "each_chunk"

    def frame(delta: dict[str, object], annotations: dict[str, object] = SAFE) -> Frame:
        entry = {"index": choice.index, "delta": delta, "finish_reason": None}
        if is_annotated:
            entry["content_filter_results"] = annotations
        return data_frame({**head, "choices": [entry]})

    yield frame({"role": "assistant", "content": "", "refusal": None}, {})
    for piece in choice.reasoning:
        yield frame({call.answer.reasoning_field: piece}, {})
    for count, piece in enumerate(choice.text, start=1):
        yield frame({"content": piece})
        if call.filters == "async" and count % _PIECES_PER_ANNOTATION == 0:
            yield _annotation(choice, pieces=count)
    for piece in choice.refusal:
        yield frame({"refusal": piece})
    for delta in _tool_call_deltas(choice):
        yield frame({"tool_calls": [delta]})
    yield _finish(call, head, choice)


def _tool_call_deltas(choice: Choice) -> Iterator[dict[str, object]]:
    for index, tool_call in enumerate(choice.tool_calls):
        function = {"name": tool_call.name, "arguments": ""}
        call_id = tool_call.id or f"call_{index}"
        yield {"index": index, "id": call_id, "type": "function", "function": function}
        for fragment in tool_call.fragments:
            yield {"index": index, "function": {"arguments": fragment}}


def _finish(call: Call, head: dict[str, object], choice: Choice) -> Frame:
    entry: dict[str, object] = {"index": choice.index, "finish_reason": choice.finish_reason}
    if call.filters == "async" and choice.finish_reason == "content_filter":
        # The one chunk with a choice but no delta (Azure, "Content streaming").
        entry["content_filter_results"] = BLOCKED_LATER
    else:
        entry["delta"] = {}
    if call.filters == "each_chunk":
        entry["content_filter_results"] = (
            choice_annotations(choice) if choice.finish_reason == "content_filter" else {}
        )
    return data_frame({**head, "choices": [entry]}, "finish_reason")


def _annotation(choice: Choice, *, pieces: int = 0, last: bool = False) -> Frame:
    """Return a late annotation of the last few pieces, or (`last`) of all the rest."""
    if last:
        start = len(choice.text) // _PIECES_PER_ANNOTATION * _PIECES_PER_ANNOTATION
        pieces = len(choice.text)
    else:
        start = pieces - _PIECES_PER_ANNOTATION
    reach = offsets(
        start=sum(map(len, choice.text[:start])), end=sum(map(len, choice.text[:pieces]))
    )
    entry = {
        "index": choice.index,
        "finish_reason": None,
        "content_filter_results": SAFE,
        "content_filter_offsets": reach,
    }
    return data_frame(
        {"id": "", "object": "", "created": 0, "model": "", "choices": [entry]}, "filter"
    )


def _whole_choice(call: Call, choice: Choice) -> dict[str, object]:
    message: dict[str, object] = {
        "role": "assistant",
        "content": "".join(choice.text) or None,
        "refusal": "".join(choice.refusal) or None,
    }
    if choice.reasoning:
        message[call.answer.reasoning_field] = "".join(choice.reasoning)
    if choice.tool_calls:
        message["tool_calls"] = [
            {
                "id": tool_call.id or f"call_{index}",
                "type": "function",
                "function": {"name": tool_call.name, "arguments": "".join(tool_call.fragments)},
            }
            for index, tool_call in enumerate(choice.tool_calls)
        ]
    entry: dict[str, object] = {
        "index": choice.index,
        "message": message,
        "logprobs": None,
        "finish_reason": choice.finish_reason,
    }
    if call.filters != "off":
        entry["content_filter_results"] = choice_annotations(choice)
    return entry
