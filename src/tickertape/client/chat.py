"""Chat for scripts: messages in, a stream of text out, with no server in between.

Which provider answers, and how to sign in there, is configured by the environment
(see `providers.catalog`). The names and parameters here are public and stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

from tickertape.client.catalogs import background_catalog, lend, lend_own
from tickertape.client.provider_call import ask, request_of
from tickertape.client.text_stream import AsyncTextStream, TextStream
from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import InvalidRequest
from tickertape.core.request import ChatRequest, Message
from tickertape.providers.catalog import Catalog

Messages: TypeAlias = Sequence[Message | dict[str, Any]]


class ChatSettings(TypedDict, total=False):
    """What else a request may say: the fields of `ChatRequest`. None means the default."""

    max_completion_tokens: int | None
    top_p: float | None
    n: int | None
    stop: str | list[str] | None
    seed: int | None
    presence_penalty: float | None
    frequency_penalty: float | None
    reasoning_effort: str | None
    response_format: dict[str, object] | None
    tools: list[dict[str, object]] | None
    tool_choice: str | dict[str, object] | None
    parallel_tool_calls: bool | None
    user: str | None


def stream_chat(
    messages: Messages,
    deployment: str | None = None,
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    deadlines: Deadlines | None = None,
    retry: RetryPolicy | None = None,
    **settings: Unpack[ChatSettings],
) -> TextStream:
    """Return the answer to a conversation as an iterator of text.

    `deployment` is a model's name, qualified or not (`azure/gpt-4o`); None means
    the environment's default. Nothing is sent before the first piece is asked for.

    Raises:
        InvalidRequest: a message or a setting is wrong; `param` names it.
    """
    request = make_request(
        messages, deployment, max_tokens=max_tokens, temperature=temperature, **settings
    )
    return TextStream(
        ask(request, deadlines=deadlines, retry=retry, lend_catalog=background_catalog.lend)
    )


def async_stream_chat(
    messages: Messages,
    deployment: str | None = None,
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    deadlines: Deadlines | None = None,
    retry: RetryPolicy | None = None,
    catalog: Catalog | None = None,
    **settings: Unpack[ChatSettings],
) -> AsyncTextStream:
    """Return the answer to a conversation as an async iterator of text.

    As `stream_chat`. Each stream makes its own connection; programs that make many
    calls pass a `catalog`, whose connections (and embedded model) are kept, and
    which they close.

    Raises:
        InvalidRequest: a message or a setting is wrong; `param` names it.
    """
    request = make_request(
        messages, deployment, max_tokens=max_tokens, temperature=temperature, **settings
    )
    lend_catalog = lend_own if catalog is None else lend(catalog)
    return AsyncTextStream(
        ask(request, deadlines=deadlines, retry=retry, lend_catalog=lend_catalog)
    )


def make_request(
    messages: Messages, deployment: str | None = None, **settings: object
) -> ChatRequest:
    """Return the request that the arguments make; a setting that is None is left out.

    Raises:
        InvalidRequest: a message or a setting is wrong; `param` names it.
    """
    request = request_of(ChatRequest, messages=messages, model=deployment or "", **settings)
    if not request.messages:
        raise InvalidRequest("messages is empty; send at least one message", param="messages")
    return request
