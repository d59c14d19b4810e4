"""One chunk of a chat completion stream: JSON → typed struct.

Knows the shapes that providers send, and only the fields that make events; the
rest is skipped without being built. What the fields mean is `chat_completions`'
business.

Sources: OpenAI API reference, "The chat completion chunk object"; Azure OpenAI
documentation, "Content streaming". msgspec reads all of it but one thing: an
escaped half of a UTF-16 surrogate pair, which some providers send when a token
ends inside a character. Such a chunk, and only such, goes through `json`.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Final, NoReturn, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from tickertape.providers.surrogates import without_surrogates

# Far above any n and any number of tool calls.
Index: TypeAlias = Annotated[int, Meta(ge=0, lt=2**16)]

NO_RAW: Final = Raw()
"""What a `Raw` field holds when the provider did not send it."""


class FunctionFragment(Struct, gc=False):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class ToolCallFragment(Struct, gc=False):
    """A piece of a tool call, or a whole one (Ollama)."""

    index: Index | None = None
    id: str | None = None
    function: FunctionFragment | None = None


class ChatDelta(Struct, gc=False):
    """What one chunk adds to one choice."""

    content: str | None = None
    reasoning_content: str | None = None
    """DeepSeek, llama.cpp."""
    reasoning: str | None = None
    """Ollama, vLLM, OpenRouter."""
    refusal: str | None = None
    tool_calls: list[ToolCallFragment] | None = None
    function_call: FunctionFragment | None = None
    """What tool calls were before there were several."""


class ChatChoice(Struct, gc=False):
    """What one chunk says about one choice."""

    index: Index | None = 0
    delta: ChatDelta | None = None
    finish_reason: str | None = None
    # Raw: Azure repeats the same 300 bytes on every chunk, and comparing them
    # costs a tenth of reading them.
    content_filter_results: Raw = NO_RAW
    content_filter_offsets: object = None
    error: object = None
    """OpenRouter may put it here."""


class ChatChunk(Struct, gc=False):
    """One chunk, as far as it matters here.

    What is no part of the answer is left open (`object`): an odd report must not
    cost a reader the text.
    """

    choices: list[ChatChoice] | None = None
    usage: object = None
    error: object = None
    prompt_filter_results: object = None
    prompt_annotations: object = None
    """What Azure called `prompt_filter_results` before."""


_decoder: Final = msgspec.json.Decoder(ChatChunk)
_lone_half: Final = re.compile(r"\\u[dD][89a-fA-F]")

UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)


decode_chunk: Final = _decoder.decode
"""Return the chunk in one server-sent event's data; raises `UNREADABLE`."""


def decode_cut_chunk(data: str) -> ChatChunk:
    """Return a chunk that `decode_chunk` could not read because a character was cut in two.

    The texts of its deltas may hold lone surrogates; nothing else does.

    Raises:
        ValueError: not JSON, or not this shape.
    """
    if not _lone_half.search(data):
        raise ValueError("not the JSON of a chat completion chunk")
    try:
        return msgspec.convert(_prepared(_loads(data)), ChatChunk)
    except UNREADABLE as error:
        raise ValueError(str(error)) from error


def read_json(data: str | bytes) -> object:
    """Return any JSON value, without lone surrogates.

    Raises:
        ValueError: not JSON, or beyond what can be held.
    """
    try:
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError:
            return without_surrogates(_loads(data))
    except UNREADABLE as error:
        raise ValueError(str(error)) from error


def _prepared(chunk: object) -> object:
    """Put back what `ChatChoice` wants raw, and clean all that is no delta."""
    if not isinstance(chunk, dict):
        return chunk
    choices = chunk.pop("choices", None)
    chunk = {name: without_surrogates(value) for name, value in chunk.items()}
    if not isinstance(choices, list):
        return {**chunk, "choices": choices}
    return {**chunk, "choices": [_prepared_choice(choice) for choice in choices]}


def _prepared_choice(choice: object) -> object:
    if not isinstance(choice, dict):
        return choice
    prepared = {
        name: value if name == "delta" else without_surrogates(value)
        for name, value in choice.items()
    }
    if "content_filter_results" in prepared:
        results = msgspec.json.encode(prepared["content_filter_results"])
        prepared["content_filter_results"] = Raw(results)
    return prepared


def _loads(data: str | bytes) -> object:
    loaded: object = json.loads(data, parse_constant=_refuse, parse_int=_bounded_int)
    return loaded


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _bounded_int(digits: str) -> int | float:
    # int() refuses thousands of digits, where msgspec takes them for a float.
    return int(digits) if len(digits) < 19 else float(digits)
