"""The native wire: records ⇄ server-sent events that anything can read.

Plain enough for `curl -N`, for clients that look for lines that begin with
`data: ` and take `content` out of the JSON, and for a browser's `EventSource`.
PROTOCOL.md describes it for people who write clients.

Knows no transport: whoever holds the connection writes what `NativeFeed` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, assert_never, get_args

import msgspec

from tickertape.core.cursor import FIRST_EPOCH, Cursor
from tickertape.core.errors import ProtocolError
from tickertape.core.events import (
    AnswerStored,
    AttemptEnded,
    ChoiceFinished,
    ErrorCode,
    Event,
    FilterReported,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    UnknownEvent,
    UsageReported,
)
from tickertape.core.record import Record
from tickertape.core.sse import HEARTBEAT
from tickertape.engine.tail import Tail

DONE: Final = "[DONE]"
"""The data of the last block: closed, no more data ever. It has no id."""

HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    # no-transform keeps proxies from compressing, which would hold text back.
    "cache-control": "no-cache, no-transform",
    # nginx buffers answers unless told not to.
    "x-accel-buffering": "no",
}

_ERROR_CODES: Final = frozenset(get_args(ErrorCode))
_DONE_BLOCK: Final = f"data: {DONE}\n\n".encode()
_encode_json: Final = msgspec.json.Encoder().encode
_decode_json: Final = msgspec.json.Decoder(dict[str, object]).decode


def encode(records: Sequence[Record]) -> bytes:
    """Return the records as blocks, one for each, and `[DONE]` after the end of the run.

    What is for writers only has no block: ids may skip.
    """
    if len(records) == 1:
        return _last_block.of(records[0])
    return b"".join([_block(record) for record in records])


class _LastBlock:
    """The one block that was made last: a run's many readers ask for the same in turn."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: tuple[Record | None, bytes] = (None, b"")

    def of(self, record: Record) -> bytes:
        """Return the record's block, made anew unless it is the last one's very record."""
        made = self._made
        if made[0] is not record:
            # One assignment, so that threads never see one's record with another's block.
            made = self._made = (record, _block(record))
        return made[1]


_last_block: Final = _LastBlock()


def _block(record: Record) -> bytes:
    event = record.event
    # Nearly all blocks are this one.
    if type(event) is TextDelta and not event.choice and record.epoch == FIRST_EPOCH:
        return b'id: %d\ndata: {"content":%b}\n\n' % (record.offset, _encode_json(event.text))
    if type(event) is AnswerStored:
        return b""
    cursor = str(Cursor(record.offset, record.epoch)).encode()
    block = b"id: %b\ndata: %b\n\n" % (cursor, encode_payload(event))
    return block + _DONE_BLOCK if type(event) is RunEnded else block


def encode_payload(event: Event) -> bytes:
    """Return an event's JSON on this wire; `b""` for one that readers don't get."""
    if isinstance(event, UnknownEvent):
        return event.json
    if isinstance(event, AnswerStored):
        return b""
    return _encode_json(_payload(event))


def _payload(
    event: RunStarted
    | AttemptEnded
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallDelta
    | FilterReported
    | UsageReported
    | ChoiceFinished
    | RunEnded,
) -> dict[str, object]:
    match event:
        case TextDelta():
            return _of_choice({"content": event.text}, event.choice)
        case ReasoningDelta():
            return _of_choice({"reasoning": event.text}, event.choice)
        case RefusalDelta():
            return _of_choice({"refusal": event.text}, event.choice)
        case ToolCallDelta():
            call = {"index": event.index, "arguments": event.arguments}
            named = {"id": event.id, "name": event.name}
            call |= {key: value for key, value in named.items() if value is not None}
            return _of_choice({"tool_call": call}, event.choice)
        case FilterReported():
            found = {"subject": event.subject, "annotations": event.annotations}
            about = {} if event.choice is None else {"choice": event.choice}
            return {"filter": found, **about}
        case UsageReported():
            return {"usage": event.usage}
        case ChoiceFinished():
            return {
                "choice": event.choice,
                "finish_reason": event.finish_reason,
                "raw_finish_reason": event.raw_finish_reason,
            }
        case RunStarted():
            return {
                "run_id": event.run_id,
                "model": event.model,
                "provider": event.provider,
                "created_at": event.created_at,
            }
        case AttemptEnded():
            return {"attempt": attempt_payload(event)}
        case RunEnded():
            return end_payload(event)
        case _:
            assert_never(event)


def _of_choice(payload: dict[str, object], choice: int) -> dict[str, object]:
    return {**payload, "choice": choice} if choice else payload


def attempt_payload(event: AttemptEnded) -> dict[str, object]:
    """Return what this wire says of an attempt that is over."""
    payload = msgspec.to_builtins(event)
    del payload["type"]
    fields: dict[str, object] = payload
    return fields


def end_payload(event: RunEnded) -> dict[str, object]:
    """Return what this wire says of a run's end."""
    payload: dict[str, object] = {}
    if event.error is not None:
        payload["error"] = event.error.message
        payload["code"] = event.error.code
        payload["retryable"] = event.error.is_retryable
    payload["outcome"] = event.outcome
    if event.cancelled_by is not None:
        payload["cancelled_by"] = event.cancelled_by
    payload["finish_reason"] = event.finish_reason
    if event.raw_finish_reason is not None:
        payload["raw_finish_reason"] = event.raw_finish_reason
    payload["usage"] = event.usage
    payload["length"] = event.length
    payload["timings"] = event.timings
    return payload


def decode_payload(data: str | bytes) -> Event:
    """Return the event that `encode_payload` wrote as `data`.

    What this version does not know becomes an `UnknownEvent`.

    Raises:
        ProtocolError: not a JSON object, or a known payload with wrong fields.
    """
    try:
        payload = _decode_json(data)
        for key, decode in _DECODERS.items():
            if key in payload:
                return decode(payload)
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError) as error:
        raise ProtocolError(f"not a block of the native wire: {error}") from error
    raw = data.encode() if isinstance(data, str) else bytes(data)
    return UnknownEvent(str(payload.get("type", "unknown")), raw)


def _decode_end(payload: dict[str, object]) -> RunEnded:
    fields = dict(payload)
    error = None
    if "error" in fields:
        code = fields.pop("code")
        error = {
            "message": fields.pop("error"),
            # A newer server may have more of them.
            "code": code if code in _ERROR_CODES else "internal",
            "is_retryable": fields.pop("retryable", False),
        }
    return msgspec.convert({**fields, "type": "run_ended", "error": error}, RunEnded)


def _decode_tool_call(payload: dict[str, object]) -> ToolCallDelta:
    call = msgspec.convert(payload["tool_call"], dict[str, object])
    fields = {**call, "type": "tool_call_delta", "choice": payload.get("choice", 0)}
    return msgspec.convert(fields, ToolCallDelta)


def _decode_attempt(payload: dict[str, object]) -> AttemptEnded:
    attempt = msgspec.convert(payload["attempt"], dict[str, object])
    return msgspec.convert({**attempt, "type": "attempt_ended"}, AttemptEnded)


def _decode_filter(payload: dict[str, object]) -> FilterReported:
    found = msgspec.convert(payload["filter"], dict[str, object])
    fields = {**found, "type": "filter_reported", "choice": payload.get("choice")}
    return msgspec.convert(fields, FilterReported)


def _decode_text(
    kind: type[TextDelta | ReasoningDelta | RefusalDelta], text: object, payload: dict[str, object]
) -> Event:
    return kind(msgspec.convert(text, str), msgspec.convert(payload.get("choice", 0), int))


# In this order: an end has a usage and a finish reason too.
_DECODERS: Final[dict[str, Callable[[dict[str, object]], Event]]] = {
    "content": lambda payload: _decode_text(TextDelta, payload["content"], payload),
    "outcome": _decode_end,
    "run_id": lambda payload: msgspec.convert({**payload, "type": "run_started"}, RunStarted),
    "reasoning": lambda payload: _decode_text(ReasoningDelta, payload["reasoning"], payload),
    "refusal": lambda payload: _decode_text(RefusalDelta, payload["refusal"], payload),
    "tool_call": _decode_tool_call,
    "filter": _decode_filter,
    "attempt": _decode_attempt,
    "usage": lambda payload: msgspec.convert({**payload, "type": "usage_reported"}, UsageReported),
    "finish_reason": lambda payload: msgspec.convert(
        {**payload, "type": "choice_finished"}, ChoiceFinished
    ),
}


class NativeFeed:
    """One reader's bytes, pulled one write at a time."""

    headers: Final = HEADERS

    def __init__(self, tail: Tail) -> None:
        self._tail = tail

    async def next(self) -> bytes:
        """Return what to write next: blocks, or a heartbeat; `b""` when all was written."""
        while records := await self._tail.next():
            if blocks := encode(records):
                return blocks
        return b"" if self._tail.is_over else HEARTBEAT

    def close(self) -> None:
        """Leave: the reader has gone. A waiting `next` returns at once."""
        self._tail.close()
