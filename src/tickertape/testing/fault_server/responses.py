"""The Responses API: an answer as numbered events, or as one response object.

Source: OpenAI API reference, "Responses" and "Streaming events". Always one
answer: the API knows no n.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from tickertape.core.events import Usage
from tickertape.testing.answers import Choice, usage_for
from tickertape.testing.fault_server.call import Call
from tickertape.testing.fault_server.filters import choice_annotations, prompt_annotations
from tickertape.testing.fault_server.frames import Frame, FrameKind, data_frame

ResponseStatus: TypeAlias = Literal[
    "queued", "in_progress", "completed", "incomplete", "failed", "cancelled"
]
_Payload: TypeAlias = dict[str, Any]

_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response_frames(call: Call) -> list[Frame]:
    """Return the stream. Its events are numbered from 0; there is no `[DONE]`."""
    return [numbered(payload, number, kind) for number, (payload, kind) in enumerate(_events(call))]


def numbered(payload: _Payload, number: int, kind: FrameKind = "content") -> Frame:
    """Return one event of the stream as a frame."""
    return data_frame(
        {**payload, "sequence_number": number},
        kind,
        event=str(payload["type"]),
        sequence_number=number,
    )


def response_body(call: Call, status: ResponseStatus | None = None) -> _Payload:
    """Return the response object; without a status it is the one at the end."""
    choice = call.choices[0]
    reason = _REASONS.get(choice.finish_reason)
    status = status or ("incomplete" if reason else "completed")
    is_over = status in {"completed", "incomplete"}
    body: _Payload = {
        "id": f"resp_{call.id}",
        "object": "response",
        "created_at": call.created_at,
        "status": status,
        "background": bool(call.asked.background),
        "error": None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": call.asked.limit,
        "metadata": {},
        "model": call.model,
        "output": [_item(call, *entry) for entry in _items(choice)] if is_over else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _usage(call, choice) if is_over else None,
    }
    if call.filters != "off":
        body["content_filters"] = _content_filters(call, choice) if is_over else None
    return body


def _events(call: Call) -> Iterator[tuple[_Payload, FrameKind]]:
    choice = call.choices[0]
    if call.asked.background:
        yield {"type": "response.queued", "response": response_body(call, "queued")}, "content"
    created = response_body(call, "in_progress")
    yield {"type": "response.created", "response": created}, "content"
    yield {"type": "response.in_progress", "response": created}, "content"
    for output_index, entry in enumerate(_items(choice)):
        for payload in _item_events(call, output_index, *entry):
            yield payload, "content"
    end = response_body(call)
    yield {"type": f"response.{end['status']}", "response": end}, "finish_reason"


_ItemKind: TypeAlias = Literal["reasoning", "text", "refusal", "tool_call"]


def _items(choice: Choice) -> list[tuple[_ItemKind, int, tuple[str, ...]]]:
    """Return the output items in order: kind, index among its kind, and pieces."""
    items: list[tuple[_ItemKind, int, tuple[str, ...]]] = []
    if choice.reasoning:
        items.append(("reasoning", 0, choice.reasoning))
    if choice.text:
        items.append(("text", 0, choice.text))
    if choice.refusal:
        items.append(("refusal", 0, choice.refusal))
    items += [
        ("tool_call", index, tool_call.fragments)
        for index, tool_call in enumerate(choice.tool_calls)
    ]
    return items


def _item(
    call: Call, kind: _ItemKind, index: int, pieces: tuple[str, ...], status: str = "completed"
) -> _Payload:
    """Return an output item; while `in_progress` it has no content yet."""
    text = "".join(pieces) if status == "completed" else ""
    if kind == "tool_call":
        tool_call = call.choices[0].tool_calls[index]
        return {
            "id": f"fc_{call.id}_{index}",
            "type": "function_call",
            "status": status,
            "call_id": tool_call.id or f"call_{index}",
            "name": tool_call.name,
            "arguments": text,
        }
    content = [_part(kind, text)] if status == "completed" else []
    if kind == "reasoning":
        return {"id": f"rs_{call.id}", "type": "reasoning", "summary": content}
    return {
        "id": f"msg_{call.id}_{kind}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _part(kind: _ItemKind, text: str) -> _Payload:
    match kind:
        case "reasoning":
            return {"type": "summary_text", "text": text}
        case "refusal":
            return {"type": "refusal", "refusal": text}
        case _:
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item_events(
    call: Call, output_index: int, kind: _ItemKind, index: int, pieces: tuple[str, ...]
) -> Iterator[_Payload]:
    begun = _item(call, kind, index, pieces, "in_progress")
    whole = _item(call, kind, index, pieces)
    place: _Payload = {"item_id": whole["id"], "output_index": output_index}
    yield {"type": "response.output_item.added", "output_index": output_index, "item": begun}
    match kind:
        case "tool_call":
            yield from _argument_events(place, pieces, name=str(whole["name"]))
        case "reasoning":
            yield from _part_events(place | {"summary_index": 0}, kind, pieces)
        case "text" | "refusal":
            yield from _part_events(place | {"content_index": 0}, kind, pieces)
    yield {"type": "response.output_item.done", "output_index": output_index, "item": whole}


def _argument_events(place: _Payload, pieces: tuple[str, ...], *, name: str) -> Iterator[_Payload]:
    stem = "response.function_call_arguments"
    for piece in pieces:
        yield {"type": f"{stem}.delta", **place, "delta": piece}
    yield {"type": f"{stem}.done", **place, "arguments": "".join(pieces), "name": name}


_STEMS: dict[_ItemKind, tuple[str, str]] = {
    "text": ("content_part", "output_text"),
    "refusal": ("content_part", "refusal"),
    "reasoning": ("reasoning_summary_part", "reasoning_summary_text"),
}


def _part_events(place: _Payload, kind: _ItemKind, pieces: tuple[str, ...]) -> Iterator[_Payload]:
    part, stem = _STEMS[kind]
    text = "".join(pieces)
    extra: _Payload = {"logprobs": []} if kind == "text" else {}
    yield {"type": f"response.{part}.added", **place, "part": _part(kind, "")}
    for piece in pieces:
        yield {"type": f"response.{stem}.delta", **place, "delta": piece, **extra}
    whole: _Payload = {"refusal": text} if kind == "refusal" else {"text": text}
    yield {"type": f"response.{stem}.done", **place, **whole, **extra}
    yield {"type": f"response.{part}.done", **place, "part": _part(kind, text)}


def _usage(call: Call, choice: Choice) -> _Payload | None:
    usage: Usage | None = usage_for(call.answer, (choice,), input_tokens=call.asked.input_tokens)
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens or 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.total_tokens,
    }


def _content_filters(call: Call, choice: Choice) -> list[_Payload]:
    annotations = choice_annotations(choice)
    prompt = prompt_annotations(call)
    reach = {"start_offset": 0, "end_offset": len("".join(choice.text)), "check_offset": 0}
    completion: _Payload = {
        "blocked": choice.finish_reason == "content_filter",
        "source_type": "completion",
        "content_filter_results": annotations,
        "content_filter_offsets": reach,
    }
    if prompt is None:
        return [completion]
    return [
        {"blocked": False, "source_type": "prompt", "content_filter_results": prompt},
        completion,
    ]
