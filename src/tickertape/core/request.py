"""What a caller asks of a model: messages and settings, as a value.

Knows the field names that the OpenAI chat protocol uses, since everyone sends
those. Does not know where the request will go, nor any server's limits.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

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
