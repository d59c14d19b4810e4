"""A chat request in the words of the Responses API.

Both APIs ask the same models the same things; this knows how each field of one is
spelled in the other. What the Responses API has no word for is refused, and not
left out in silence.

Source: OpenAI API reference, "Create a model response"; the same company's
guide, "Migrate to the Responses API".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec import UNSET

from tickertape.core.errors import ProviderError
from tickertape.core.request import ChatRequest, Message

# The value that says the same as leaving the field out.
_UNKNOWN_THERE: Final = {
    "n": 1,
    "stop": [],
    "seed": None,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}
_SAME_THERE: Final = ("model", "temperature", "top_p", "parallel_tool_calls", "user")
_CONTENT_PARTS: Final = {"text": "input_text", "image_url": "input_image", "file": "input_file"}

_Fields = dict[str, object]


def response_fields(request: ChatRequest) -> _Fields:
    """Return the fields of a Responses request that asks the same.

    Raises:
        ProviderError: the request has what the Responses API does not know
            (`provider_rejected`): another provider may.
    """
    given = msgspec.to_builtins(request)
    _refuse_unknown(given)
    fields: _Fields = {name: given[name] for name in _SAME_THERE if name in given}
    fields["input"] = list(_input_items(request.messages))
    limit = given.get("max_completion_tokens", given.get("max_tokens"))
    if limit is not None:
        fields["max_output_tokens"] = limit
    if "reasoning_effort" in given:
        fields["reasoning"] = {"effort": given["reasoning_effort"]}
    if "response_format" in given:
        fields["text"] = {"format": _flat(given["response_format"])}
    if "tools" in given:
        fields["tools"] = [_tool(tool) for tool in given["tools"]]
    if "tool_choice" in given:
        fields["tool_choice"] = _tool_choice(given["tool_choice"])
    return fields


def _refuse_unknown(given: Mapping[str, object]) -> None:
    for name, default in _UNKNOWN_THERE.items():
        if name in given and given[name] != default:
            raise _not_there(name)


def _not_there(name: str) -> ProviderError:
    return ProviderError(
        "provider_rejected",
        f"{name} can't be asked of the Responses API; leave it out, or use chat completions "
        "(TICKERTAPE_API=chat_completions)",
    )


def _input_items(messages: Iterable[Message]) -> Iterator[_Fields]:
    custom_calls: set[object] = set()
    for at, message in enumerate(messages):
        if message.name is not UNSET:
            raise _not_there(f"messages[{at}].name")
        if message.role == "tool":
            kind = "custom_tool_call" if message.tool_call_id in custom_calls else "function_call"
            yield {
                "type": f"{kind}_output",
                "call_id": message.tool_call_id or "",
                "output": _content(message, is_answer=False),
            }
            continue
        yield from _said(message)
        for call in message.tool_calls or ():
            item = _tool_call(call)
            if item["type"] == "custom_tool_call":
                custom_calls.add(item["call_id"])
            yield item


def _said(message: Message) -> Iterator[_Fields]:
    """Give the message, if anything is said in it; an answer may be tool calls alone."""
    is_answer = message.role == "assistant"
    content = _content(message, is_answer=is_answer)
    if is_answer:
        # llama.cpp takes an answer only as a list of parts, and by its type.
        if isinstance(content, str):
            content = [{"type": "output_text", "text": content}] if content else []
        if message.refusal:
            content.append({"type": "refusal", "refusal": message.refusal})
    if content:
        yield {"type": "message", "role": message.role, "content": content}


def _content(message: Message, *, is_answer: bool) -> str | list[_Fields]:
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    return [_part(part, is_answer=is_answer) for part in message.content]


def _part(part: _Fields, *, is_answer: bool) -> _Fields:
    """Return one piece of a message; one that is not known goes as it is."""
    kind = str(part.get("type"))
    if kind not in _CONTENT_PARTS:
        return part
    if kind == "text":
        return {**part, "type": "output_text" if is_answer else "input_text"}
    inner = part.get(kind)
    fields = dict(inner) if isinstance(inner, dict) else {}
    if "url" in fields:
        fields["image_url"] = fields.pop("url")
    return {"type": _CONTENT_PARTS[kind], **fields}


def _tool_call(call: _Fields) -> _Fields:
    kind = str(call.get("type", "function"))
    inner = call.get(kind)
    fields = inner if isinstance(inner, dict) else {}
    text = "input" if kind == "custom" else "arguments"
    return {
        "type": "custom_tool_call" if kind == "custom" else "function_call",
        "call_id": call.get("id", ""),
        "name": fields.get("name", ""),
        text: fields.get(text, ""),
    }


def _tool(tool: _Fields) -> _Fields:
    flat = _flat(tool)
    if flat.get("type") == "function":
        # Left out, it means true there, and false in chat completions.
        flat.setdefault("strict", False)
    if isinstance(flat.get("format"), dict):
        flat["format"] = _flat(flat["format"])
    return flat


def _tool_choice(choice: object) -> object:
    if not isinstance(choice, dict):
        return choice
    flat = _flat(choice)
    if isinstance(tools := flat.get("tools"), list):
        flat["tools"] = [_flat(tool) for tool in tools]
    return flat


def _flat(value: object) -> _Fields:
    """Return `{"type": "x", "x": {…}}` as `{"type": "x", …}`."""
    fields = dict(value) if isinstance(value, dict) else {}
    inner = fields.pop(str(fields.get("type")), None)
    return {**fields, **inner} if isinstance(inner, dict) else fields
