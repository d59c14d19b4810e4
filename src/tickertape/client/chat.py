"""Chat for scripts: messages in, a stream of text out, with no server in between.

Which provider answers, and how to sign in there, is configured by the environment
(see `providers.catalog`). The names and parameters here are public and stay.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

import msgspec

from tickertape.client.base import OpenSource, Source
from tickertape.client.catalogs import LendCatalog, background_catalog, lend, lend_own
from tickertape.client.text_stream import AsyncTextStream, TextStream
from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import InvalidRequest
from tickertape.core.events import CancelledBy, Event, RunStarted
from tickertape.core.request import ChatRequest, Message, invalid_request
from tickertape.engine.identity import new_run_id
from tickertape.engine.step import Step
from tickertape.providers.base import Route
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
    return TextStream(ask(request, deadlines=deadlines, lend_catalog=background_catalog.lend))


def async_stream_chat(
    messages: Messages,
    deployment: str | None = None,
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    deadlines: Deadlines | None = None,
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
    return AsyncTextStream(ask(request, deadlines=deadlines, lend_catalog=lend_catalog))


def make_request(
    messages: Messages, deployment: str | None = None, **settings: object
) -> ChatRequest:
    """Return the request that the arguments make; a setting that is None is left out.

    Raises:
        InvalidRequest: a message or a setting is wrong; `param` names it.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    fields = {"messages": messages, "model": deployment or "", **given}
    try:
        request = msgspec.convert(fields, ChatRequest)
    except msgspec.ValidationError as error:
        raise invalid_request(error) from error
    if not request.messages:
        raise InvalidRequest("messages is empty; send at least one message", param="messages")
    return request


def ask(
    request: ChatRequest, *, deadlines: Deadlines | None, lend_catalog: LendCatalog
) -> OpenSource:
    """Return what asks the model that the request names, when it is opened."""

    async def opened() -> AsyncGenerator[Source, None]:
        async with lend_catalog() as catalog:
            call = _ProviderCall(
                catalog.routes(request.model), request, deadlines=deadlines or Deadlines()
            )
            try:
                yield call
            finally:
                await call.close()

    return opened


class _ProviderCall:
    """One step, which shows how its run started too."""

    def __init__(
        self, routes: Sequence[Route], request: ChatRequest, *, deadlines: Deadlines
    ) -> None:
        started = RunStarted(
            run_id=new_run_id(),
            model=routes[0].model,
            provider=routes[0].provider.name,
            created_at=time.time(),
        )
        self._step = Step(
            routes, request, started=started, deadlines=deadlines, retry=RetryPolicy()
        )
        self._started = started
        self._first: asyncio.Task[Sequence[Event]] | None = None
        self._has_first = False

    @property
    def detail(self) -> str:
        return self._step.detail

    async def next(self) -> Sequence[Event]:
        if self._has_first:
            return await self._step.next()
        if self._first is None:
            # In a task of its own: who gives up waiting for it (a timeout, Ctrl-C) and asks
            # again goes on with this request. Cancelled while it opens, a step would send,
            # and the provider bill, another.
            self._first = asyncio.create_task(self._step.next())
        events = await asyncio.shield(self._first)
        self._has_first = True
        return [self._started, *events]

    def cancel(self, by: CancelledBy) -> None:
        self._step.cancel(by)

    async def close(self) -> None:
        # Cancelled as well: where a task still waits for the step, it ends as it should.
        self._step.cancel("user")
        if self._first is not None:
            await asyncio.wait([self._first])
        self._step.close()
