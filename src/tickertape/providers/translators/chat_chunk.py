"""One chunk of a chat completion stream: JSON → typed struct.

Knows the shapes of a delta that providers send. What they mean is `chat_answer`'s
business.

Source: OpenAI API reference, "The chat completion chunk object".
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from tickertape.providers.translators.choice_chunk import (
    Index,
    StreamChoice,
    StreamChunk,
    convert_cut_chunk,
)


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


class ChatChoice(StreamChoice, gc=False):
    """What one chunk says about one choice."""

    delta: ChatDelta | None = None


ChatChunk: TypeAlias = StreamChunk[ChatChoice]

_decoder: Final = msgspec.json.Decoder(ChatChunk)

decode_chunk: Final = _decoder.decode
"""Return the chunk in one server-sent event's data; raises `UNREADABLE`."""


def decode_cut_chunk(data: str) -> ChatChunk:
    """Return a chunk that `decode_chunk` could not read because a character was cut in two.

    The texts of its deltas may hold lone surrogates; nothing else does.

    Raises:
        ValueError: not JSON, or not this shape.
    """
    return convert_cut_chunk(data, ChatChunk, keeps="delta")
