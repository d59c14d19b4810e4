"""What a caller asks of a model: messages or a prompt, and settings, as a value.

Knows the field names that the OpenAI protocols use, since everyone sends those.
Does not know where the request will go, nor any server's limits.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType, ValidationError

from tickertape.core.errors import InvalidRequest

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]

ContentPart: TypeAlias = dict[str, object]
"""One piece of a message that is not plain text (an image, say), passed on as it is."""


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One message of the conversation so far."""

    role: Role
    content: str | list[ContentPart] | None = None
    name: str | UnsetType = UNSET
    refusal: str | UnsetType | None = UNSET
    tool_calls: list[dict[str, object]] | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET


class ChatRequest(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One question to a model. What is UNSET is not sent, so the provider's default holds."""

    messages: list[Message]
    model: str = ""
    """A deployment or model, optionally qualified (`azure/gpt-4o`); empty means the default."""
    max_tokens: int | UnsetType = UNSET
    max_completion_tokens: int | UnsetType = UNSET
    """What newer models want in place of `max_tokens`."""
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    n: int | UnsetType = UNSET
    stop: str | list[str] | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    reasoning_effort: str | UnsetType = UNSET
    response_format: dict[str, object] | UnsetType = UNSET
    tools: list[dict[str, object]] | UnsetType = UNSET
    tool_choice: str | dict[str, object] | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    user: str | UnsetType = UNSET


class CompletionRequest(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A text to go on with, as models took it before chat. What is UNSET is not sent."""

    prompt: str | list[str]
    """Several prompts have `n` answers each; the choices of all are numbered in one row."""
    model: str = ""
    """A deployment or model, optionally qualified (`azure/gpt-35`); empty means the default."""
    suffix: str | UnsetType = UNSET
    """What comes after the text that is wanted."""
    max_tokens: int | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    n: int | UnsetType = UNSET
    stop: str | list[str] | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    user: str | UnsetType = UNSET


Request: TypeAlias = ChatRequest | CompletionRequest
"""Anything that a model can be asked."""


def invalid_request(error: ValidationError) -> InvalidRequest:
    """Return msgspec's complaint with the field it is about, in the caller's notation.

    `messages[0].role`, say; an unknown or missing field is named itself.
    """
    what, _, path = str(error).partition(" - at `")
    param = path.rstrip("`").removeprefix("$").removeprefix(".") or None
    if "unknown field" in what or "missing required field" in what:
        field = what.rsplit("`", 2)[-2]
        param = f"{param}.{field}" if param else field
    return InvalidRequest(f"{param}: {what}" if param else what, param=param)
