"""What can go wrong between a provider and its client, as values.

`Faults` is one answer's misbehaviour: how its bytes are paced, cut and spelled,
which of its chunks are spoiled or missing, and how it breaks off. It decodes
from JSON under the same names. Knows no protocol and no socket.

A *chunk* here is one server-sent event of the answer, counted from 0 as it is
sent (whatever `omit` leaves out is not counted). An answer that is not streamed
is one chunk. *Bytes* are those of the body, without headers and HTTP framing.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from tickertape.core.errors import ConfigurationError

Seconds: TypeAlias = Annotated[float, Meta(ge=0)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Positive: TypeAlias = Annotated[int, Meta(ge=1)]


class BadFaults(ConfigurationError, ValueError):
    """Two fields that cannot be had together, or a number that makes no sense.

    Also a `ValueError`, so that decoding a file adds the place to the message.
    """


class Stall(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="stall"
):
    """Fall silent, with the connection open: until the client leaves, or `for_s`.

    With no position it is silent from the start: not even headers come.
    `after_chunks=0` sends the headers and then nothing.
    """

    after_chunks: Count | None = None
    after_bytes: Count | None = None
    for_s: Seconds | None = None
    """Then the rest follows. None: until the client hangs up or a test calls `resume`."""
    heartbeat: str | None = None
    r"""What to send meanwhile, line ends included: `": keep-alive\n\n"`."""
    heartbeat_every_s: Annotated[float, Meta(gt=0)] = 1.0

    def __post_init__(self) -> None:
        _check_position(self.after_chunks, self.after_bytes)
        _check_number("for_s", self.for_s)
        if self.heartbeat is not None and self.after_chunks is None:
            raise BadFaults("heartbeat needs after_chunks: it may only stand between chunks")
        if self.heartbeat_every_s <= 0:
            raise BadFaults(f"heartbeat_every_s is {self.heartbeat_every_s}; it must be above 0")


class Reset(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="reset"
):
    """Break the connection with a TCP reset. With no position: before any answer."""

    after_chunks: Count | None = None
    after_bytes: Count | None = None

    def __post_init__(self) -> None:
        _check_position(self.after_chunks, self.after_bytes)


class EndOfFile(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="end_of_file",
):
    """Stop in the middle, without a word. With no position: close before any answer.

    With `ends_body` the HTTP body ends as it should, so that only the missing
    end of the answer tells. (With `framing="close"` it always does.) Without it
    the connection closes within the body, which an HTTP client can notice.
    """

    after_chunks: Count | None = None
    after_bytes: Count | None = None
    ends_body: bool = True

    def __post_init__(self) -> None:
        _check_position(self.after_chunks, self.after_bytes)


ErrorShape: TypeAlias = Literal[
    "openai",  # data: {"error":{"message","type"}}, then nothing more
    "string",  # data: {"error":"message"}
    "event_flat",  # event: error, data: {"message",…}
    "event_nested",  # event: error, data: {"error":{"message",…}}
    "openrouter",  # a chunk with "error" and finish_reason "error"
    "openrouter_choice",  # the same, but the error is only in choices[0]
    "llama_cpp",  # like openai, but the code is a number
    "vllm",  # the same, followed by [DONE]
    "responses_error",  # the Responses API's flat "error" event
    "responses_failed",  # its "response.failed"
    "ollama",  # no error at all: an empty chunk, then nothing more
    "bare",  # a line of JSON without "data:", which decoders ignore
]


class StreamError(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="stream_error",
):
    """Report an error inside the stream, in place of the rest, and end the body."""

    shape: ErrorShape = "openai"
    after_chunks: Count = 3
    message: str = "The server had an error while processing your request."

    def __post_init__(self) -> None:
        _check_number("after_chunks", self.after_chunks)


class Rejection(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="rejection",
):
    """Answer with an error status instead."""

    status: Annotated[int, Meta(ge=400, le=599)] = 429
    retry_after_s: Seconds | None = None
    retry_after_ms: Count | None = None
    should_retry: bool | None = None
    """The `x-should-retry` header, which OpenAI's clients obey above all."""
    headers: dict[str, str] = {}
    body: dict[str, object] | str | None = None
    """JSON or plain text. None: what the provider sends with this status."""

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise BadFaults(f"status is {self.status}; a rejection's is between 400 and 599")


Break: TypeAlias = Stall | Reset | EndOfFile
"""A failure of the connection, at a place in the bytes."""

Failure: TypeAlias = Stall | Reset | EndOfFile | StreamError | Rejection

Omission: TypeAlias = Literal["done", "finish_reason", "usage", "prompt_filter_results"]


class Faults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one answer misbehaves. The default is a well-behaved answer, at full speed."""

    first_byte_delay_s: Seconds = 0.0
    """Before the headers."""
    pace_s: Seconds = 0.0
    """Between two writes of the body."""
    chunks_per_write: Positive = 1
    """More than one makes bursts."""
    bytes_per_write: Positive | None = None
    """Cut the body every so many bytes, wherever that is: 1 splits UTF-8 and CRLF."""
    framing: Literal["chunked", "close"] = "chunked"
    """How a stream's end is told; `close` means that only the connection's end tells it."""
    line_end: Literal["lf", "crlf", "cr"] = "lf"
    has_byte_order_mark: bool = False
    content_type: str | None = None
    """In place of the right one."""
    headers: dict[str, str] = {}
    """More response headers."""
    omit: frozenset[Omission] = frozenset()
    """What a stream leaves out. Without `finish_reason` the Responses API has no end event."""
    invalid_json_at: Count | None = None
    """The chunk whose JSON stops halfway."""
    invalid_utf8_at: Count | None = None
    """The chunk that has a byte FF in its text."""
    duplicate_at: Count | None = None
    """The chunk that is sent twice."""
    swap_at: Count | None = None
    """The chunk that changes places with the next one."""
    failure: Failure | None = None
    """How it breaks off."""

    def __post_init__(self) -> None:
        for name in ("first_byte_delay_s", "pace_s"):
            _check_number(name, getattr(self, name))
        for name in ("invalid_json_at", "invalid_utf8_at", "duplicate_at", "swap_at"):
            _check_number(name, getattr(self, name))
        for name in ("chunks_per_write", "bytes_per_write"):
            _check_number(name, getattr(self, name), at_least=1)
        if self.bytes_per_write is not None and self.chunks_per_write != 1:
            raise BadFaults("bytes_per_write and chunks_per_write exclude each other; give one")


def _check_position(after_chunks: int | None, after_bytes: int | None) -> None:
    if after_chunks is not None and after_bytes is not None:
        raise BadFaults("after_chunks and after_bytes exclude each other; give one")
    _check_number("after_chunks", after_chunks)
    _check_number("after_bytes", after_bytes)


def _check_number(name: str, value: float | None, *, at_least: int = 0) -> None:
    # msgspec checks `Meta` when it decodes, not when Python code builds a value.
    if value is not None and value < at_least:
        raise BadFaults(f"{name} is {value}; it must be at least {at_least}")
