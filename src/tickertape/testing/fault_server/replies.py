"""Replies: what is to be sent for one request, ready but for the network.

Knows HTTP's headers and the faults that are a matter of content.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tickertape.testing.fault_server import content, error_bodies
from tickertape.testing.fault_server.call import Call, Flavor
from tickertape.testing.fault_server.delivery import Framing
from tickertape.testing.fault_server.frames import Frame
from tickertape.testing.fault_server.stored_responses import StoredResponse
from tickertape.testing.faults import Faults, Rejection

_JSON: Final = "application/json"
_EVENT_STREAM: Final = "text/event-stream; charset=utf-8"


class Reply(Struct, frozen=True, kw_only=True):
    """What to answer, and how it is to go wrong."""

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: Sequence[bytes]
    framing: Framing = "length"
    faults: Faults = Faults()
    stored: StoredResponse | None = None
    """The background response whose frames the chunks are."""
    places: Sequence[int] = ()
    """For each chunk, where it stands among that response's frames."""


def stream_reply(call: Call, frames: Sequence[Frame], faults: Faults) -> Reply:
    """Return a reply that streams the frames."""
    return Reply(
        status=200,
        headers=_headers(faults, _EVENT_STREAM, ("x-request-id", f"req_{call.id}")),
        chunks=content.encode(frames, faults),
        framing=faults.framing,
        faults=faults,
    )


def stored_reply(stored: StoredResponse, faults: Faults, *, after: int | None) -> Reply:
    """Return a reply that streams a background response, from after that sequence number."""
    places = stored.after(after)
    # The production has the pace already: a reader that comes late gets at once
    # what there is.
    return Reply(
        status=200,
        headers=_headers(faults, _EVENT_STREAM),
        chunks=content.encode([stored.frames[at] for at in places], faults),
        framing=faults.framing,
        faults=msgspec.structs.replace(faults, pace_s=0.0),
        stored=stored,
        places=places,
    )


def json_reply(status: int, body: object, faults: Faults | None = None) -> Reply:
    """Return a reply with one JSON body."""
    faults = faults or Faults()
    return Reply(
        status=status,
        headers=_headers(faults, _JSON),
        chunks=[content.spoil_body(msgspec.json.encode(body), faults)],
        framing="close" if faults.framing == "close" else "length",
        faults=faults,
    )


def rejection_reply(faults: Faults, rejection: Rejection, flavor: Flavor) -> Reply:
    """Return a reply with an error status."""
    body, content_type = rejection.body, _JSON
    if body is None:
        body = error_bodies.rejected(rejection, flavor).body
    if isinstance(body, str):
        data, content_type = body.encode(), "text/plain; charset=utf-8"
    else:
        data = msgspec.json.encode(body)
    retry = {
        "retry-after": rejection.retry_after_s,
        "retry-after-ms": rejection.retry_after_ms,
        "x-should-retry": rejection.should_retry,
    }
    said = [(name, _header_value(value)) for name, value in retry.items() if value is not None]
    return Reply(
        status=rejection.status,
        headers=_headers(faults, content_type, *said, *rejection.headers.items()),
        chunks=[data],
        faults=faults,
    )


def _header_value(value: float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}"


def _headers(
    faults: Faults, content_type: str, *more: tuple[str, str]
) -> tuple[tuple[str, str], ...]:
    return (
        ("content-type", faults.content_type or content_type),
        ("cache-control", "no-cache"),
        *more,
        *faults.headers.items(),
    )
