"""One question to a model, asked from this process: what the script functions read from.

Knows the engine's step, and the catalog that says who answers; nothing of text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import TypeVar

import msgspec

from tickertape.client.base import OpenSource, Source
from tickertape.client.catalogs import LendCatalog
from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.events import CancelledBy, Event, RunStarted
from tickertape.core.request import ChatRequest, CompletionRequest, Request, invalid_request
from tickertape.engine.identity import new_run_id
from tickertape.engine.step import Step
from tickertape.providers.base import Route

_R = TypeVar("_R", ChatRequest, CompletionRequest)


def request_of(kind: type[_R], **fields: object) -> _R:
    """Return the request that these fields make; a field that is None is left out.

    Raises:
        InvalidRequest: a field is wrong; `param` names it.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise invalid_request(error) from error


def ask(
    request: Request,
    *,
    lend_catalog: LendCatalog,
    deadlines: Deadlines | None = None,
    retry: RetryPolicy | None = None,
) -> OpenSource:
    """Return what asks the model that the request names, when it is opened."""

    async def opened() -> AsyncGenerator[Source, None]:
        async with lend_catalog() as catalog:
            call = ProviderCall(
                catalog.routes(request.model),
                request,
                deadlines=deadlines or Deadlines(),
                retry=retry or RetryPolicy(),
            )
            try:
                yield call
            finally:
                await call.close()

    return opened


class ProviderCall:
    """One step, which shows how its run started too."""

    def __init__(
        self,
        routes: Sequence[Route],
        request: Request,
        *,
        deadlines: Deadlines,
        retry: RetryPolicy,
    ) -> None:
        started = RunStarted(
            run_id=new_run_id(),
            model=routes[0].model,
            provider=routes[0].provider.name,
            created_at=time.time(),
        )
        self._step = Step(routes, request, started=started, deadlines=deadlines, retry=retry)
        self._started = started
        self._first: asyncio.Task[Sequence[Event]] | None = None
        self._has_first = False

    @property
    def detail(self) -> str:
        """See `base.Source`."""
        return self._step.detail

    async def next(self) -> Sequence[Event]:
        """See `base.Source`. The first batch begins with `RunStarted`."""
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
        """See `base.Source`."""
        self._step.cancel(by)

    async def close(self) -> None:
        """Be done with the provider's connection, whoever still waits. Safe to repeat.

        After a whole answer it can be used again; in every other case it is closed.
        """
        if self._step.state.ended is None:
            # Not only closed: where a task still waits for the step, it ends as it should.
            self._step.cancel("user")
        if self._first is not None:
            await asyncio.wait([self._first])
        try:
            await self._step.release()
        finally:
            self._step.close()
