"""What a server accepts: limits, and the one way from a body to a request.

Knows the fields and their bounds. Does not know HTTP: errors name the field,
and `web.replies` says with which status they leave.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tickertape.core.errors import InvalidRequest, RequestTooLarge
from tickertape.core.request import ChatRequest, Message, invalid_request


class Limits(Struct, frozen=True, kw_only=True):
    """The most that one request may ask for."""

    max_body_bytes: int = 8 * 1024 * 1024
    max_messages: int = 1000
    max_characters: int = 2_000_000
    """Text of all messages together."""
    max_tokens: int = 131_072
    max_choices: int = 8


_decoder: Final = msgspec.json.Decoder(ChatRequest)

_RANGES: Final = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}


def parse_request(body: bytes, limits: Limits) -> ChatRequest:
    """Return the request that the body asks for.

    Raises:
        InvalidRequest: not JSON, a wrong type, an unknown field or a value out of range.
        RequestTooLarge: over a limit.
    """
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid_request(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    check_request(request, limits)
    return request


def check_request(request: ChatRequest, limits: Limits) -> None:
    """Check what types alone can't say.

    Raises:
        InvalidRequest, RequestTooLarge: the message names the field and its value.
    """
    _check_messages(request.messages, limits)
    _check_count("max_tokens", request.max_tokens, limits.max_tokens)
    _check_count("max_completion_tokens", request.max_completion_tokens, limits.max_tokens)
    _check_count("n", request.n, limits.max_choices)
    for name, (least, most) in _RANGES.items():
        value = getattr(request, name)
        if value is not UNSET and not (math.isfinite(value) and least <= value <= most):
            raise InvalidRequest(
                f"{name} must be between {least:g} and {most:g}, not {value!r}", param=name
            )


def _check_messages(messages: list[Message], limits: Limits) -> None:
    if not messages:
        raise InvalidRequest("messages is empty; send at least one message", param="messages")
    if len(messages) > limits.max_messages:
        raise RequestTooLarge(
            f"{len(messages)} messages are more than the {limits.max_messages} allowed here",
            limit=limits.max_messages,
            param="messages",
        )
    characters = 0
    for index, message in enumerate(messages):
        if message.content is None and message.role != "assistant":
            raise InvalidRequest(
                f"messages[{index}].content is missing", param=f"messages[{index}].content"
            )
        if isinstance(message.content, str):
            characters += len(message.content)
        elif message.content is not None:
            characters += len(msgspec.json.encode(message.content))
    if characters > limits.max_characters:
        raise RequestTooLarge(
            f"the messages have {characters} characters; {limits.max_characters} are allowed here",
            limit=limits.max_characters,
            param="messages",
        )


def _check_count(name: str, value: int | UnsetType, most: int) -> None:
    if value is not UNSET and not 1 <= value <= most:
        raise InvalidRequest(f"{name} must be between 1 and {most}, not {value}", param=name)
