"""The routes of the native wire, for any framework.

A handler takes a `Call` and returns a reply; it never raises for what the
caller did. Adapters (`asgi`, `fastapi`) make calls and write replies.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from tickertape.core.cursor import AT_BEGINNING, Cursor, parse_cursor
from tickertape.core.errors import ConfigurationError, InvalidRequest, TickertapeError
from tickertape.engine.engine import Engine
from tickertape.engine.tail import Tail
from tickertape.providers.base import Route
from tickertape.web.limits import Limits, parse_request
from tickertape.web.outages import Outages
from tickertape.web.replies import Reply, StreamReply, error_reply, json_reply, refuse
from tickertape.wires.document import encode_document
from tickertape.wires.native import NativeFeed

logger = logging.getLogger("tickertape.web")

MAX_KEY_CHARS: Final = 255
"""An idempotency key's length: what other services that take one allow, too."""

AnyReply: TypeAlias = Reply | StreamReply


class Models(Protocol):
    """What the handlers ask of a catalog of providers."""

    def routes(self, model: str) -> list[Route]:
        """Return the deployments that answer for a name, or a list of names, in order."""

    def names(self) -> list[str]:
        """Return the names that can be offered, the default first."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, read whole. Header names are in lower case."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    owner: str | None = None
    """Whom the application has recognised; a run belongs to who started it."""


class Handlers:
    """The routes, over one engine."""

    def __init__(self, engine: Engine, models: Models, *, limits: Limits | None = None) -> None:
        self.engine: Final = engine
        self.limits: Final = limits or Limits()
        self._models = models
        self._outages = Outages(logger)

    async def start_run(self, call: Call) -> AnyReply:
        """`POST /chat/stream`: start a run and tail it; only start it if `respond-async`."""
        return await self._answer(self._start_run(call))

    async def tail_run(self, call: Call, run_id: str) -> AnyReply:
        """`GET /chat/stream/{run_id}`: tail a run after a cursor, or describe it as JSON."""
        describes = _wants_json(call)
        return await self._answer(
            self._describe(call, run_id) if describes else self._resume(call, run_id)
        )

    async def cancel_run(self, call: Call, run_id: str) -> AnyReply:
        """`DELETE /chat/stream/{run_id}`: cancel; answers when the end is in the log."""
        return await self._answer(self._cancel(call, run_id))

    async def list_models(self) -> AnyReply:
        """`GET /models`: the names that a request may use, the default first."""
        return json_reply(self.describe_models())

    def describe_models(self) -> dict[str, object]:
        """Return what `GET /models` says."""
        names = self._models.names()
        return {"models": names, "default": names[0] if names else None}

    async def is_alive(self) -> AnyReply:
        """`GET /healthz`: this process answers."""
        return json_reply(
            {"alive": True, "running_runs": self.engine.running_runs, "pid": os.getpid()}
        )

    async def is_ready(self) -> AnyReply:
        """`GET /readyz`: it takes runs, and the log can be reached."""
        return await self._answer(self._is_ready())

    def note_start(self, run_id: str, routes: Sequence[Route]) -> None:
        """Take note of a new run and its routes. There is nothing to note here."""

    def make_feed(self, run_id: str, tail: Tail) -> NativeFeed:
        """Return what a reader of the run is sent."""
        return NativeFeed(tail)

    def note_failure(self, error: TickertapeError) -> None:
        """Take note of why a reader was broken off, or a call failed."""
        self._outages.note(error)

    async def _is_ready(self) -> AnyReply:
        if self.engine.is_draining:
            return error_reply(self.engine.refuses_runs())
        await self.engine.log.check()
        return json_reply({"ready": True})

    async def _describe(self, call: Call, run_id: str) -> AnyReply:
        return json_reply(encode_document(await self.engine.snapshot(run_id, owner=call.owner)))

    async def _resume(self, call: Call, run_id: str) -> AnyReply:
        return await self._tail(call, run_id, after=_cursor(call))

    async def _cancel(self, call: Call, run_id: str) -> AnyReply:
        return json_reply(encode_document(await self.engine.cancel(run_id, owner=call.owner)))

    async def _start_run(self, call: Call) -> AnyReply:
        content_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            return refuse(
                415,
                "unsupported_media_type",
                f"the content type is {content_type or 'missing'!r}; send application/json",
                param="Content-Type",
            )
        if len(call.body) > self.limits.max_body_bytes:
            return body_too_large(self.limits)
        request = parse_request(call.body, self.limits)
        only_starts = "respond-async" in call.headers.get("prefer", "")
        if not only_starts:
            # Before the run costs anything: it could not be shown.
            self.engine.require_place_for_reader()
        routes = self._routes(request.model)
        created = await self.engine.start(
            routes, request, owner=call.owner, idempotency_key=_idempotency_key(call)
        )
        if created.is_new:
            self.note_start(created.run_id, routes)
        location = f"{call.path.rstrip('/')}/{created.run_id}"
        if only_starts:
            headers = {"location": location, "preference-applied": "respond-async"}
            return json_reply({"run_id": created.run_id}, status=202, headers=headers)
        return await self._tail(call, created.run_id, after=AT_BEGINNING, location=location)

    def _routes(self, model: str) -> list[Route]:
        try:
            return self._models.routes(model)
        except ConfigurationError as error:
            if not model:
                raise
            # Which providers are configured is the operator's business, not the caller's.
            logger.info("a request for %r: %s", model, error)
            raise InvalidRequest(f"there is no model {model!r} here", param="model") from error

    async def _tail(
        self, call: Call, run_id: str, *, after: Cursor, location: str | None = None
    ) -> AnyReply:
        head = await self.engine.head(run_id, owner=call.owner)
        # The end of a run is written under its last epoch.
        if head.is_closed and after == Cursor(head.end_offset - 1, head.epoch):
            # A browser's EventSource connects again after each end; this is what stops it.
            return Reply(204, headers={"cache-control": "no-store"})
        tail = await self.engine.tail(run_id, after=after, owner=call.owner)
        headers = dict(NativeFeed.headers)
        if location is not None:
            headers["location"] = location
        return StreamReply(self.make_feed(run_id, tail), headers, self.note_failure)

    async def _answer(self, reply: Awaitable[AnyReply]) -> AnyReply:
        try:
            return await reply
        except ConfigurationError as error:
            return not_configured(error)
        except TickertapeError as error:
            refusal = error_reply(error)
            if refusal.status >= 500:
                self.note_failure(error)
            return refusal


def body_too_large(limits: Limits) -> Reply:
    """Return the refusal of a body over the limit, which adapters stop reading."""
    return refuse(
        413, "too_large", f"the body is larger than the {limits.max_body_bytes} bytes allowed here"
    )


def not_configured(error: ConfigurationError) -> Reply:
    """Return the refusal of a server that has nothing to answer with."""
    # The operator's business, in words that may name hosts and variables.
    logger.error("%s", error)
    return refuse(500, "not_configured", "this server has no model for this request")


def _wants_json(call: Call) -> bool:
    accept = call.headers.get("accept", "")
    return "application/json" in accept and "text/event-stream" not in accept


def _cursor(call: Call) -> Cursor:
    """Return the cursor to read after. The header counts: an EventSource renews only that."""
    name = "Last-Event-ID" if call.headers.get("last-event-id") else "after"
    value = call.headers.get("last-event-id") or call.query.get("after")
    cursor = parse_cursor(value) if value else AT_BEGINNING
    if cursor is None:
        raise InvalidRequest(
            f"{name} must be the id of a block that you have read, not {value!r}; "
            "leave it out to read from the beginning",
            param=name,
        )
    return cursor


def _idempotency_key(call: Call) -> str | None:
    key = call.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARS:
        raise InvalidRequest(
            f"Idempotency-Key must have 1 to {MAX_KEY_CHARS} characters, not {len(key)}",
            param="Idempotency-Key",
        )
    return key
