"""Faults of the content: how an answer is spelled, spoiled, and broken off with words."""

from __future__ import annotations

from collections.abc import Iterator

from tests.matrix.dialects import WORDS, Dialect
from tests.matrix.truths import (
    CUT,
    DEADLINES,
    EITHER,
    HUNG_UP,
    MARK,
    Case,
    case,
    failed,
    whole,
    words,
)
from tickertape.core.events import FinishReason
from tickertape.testing.answers import Answer
from tickertape.testing.fault_server import EndOfFile, Faults, Stall, StreamError
from tickertape.testing.faults import ErrorShape

_LARGE = "naïve 東京 🙂 " * 30_000
_MEGABYTE = "naïve 東京 🙂 " * 60_000


def spelling_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield other bytes for the same text; and content types that are no stream's."""
    for size in (1, 2, 3, 7, 64):
        yield case(f"{size} bytes a write", Faults(bytes_per_write=size), whole())
    yield case("CRLF, 5 bytes a write", Faults(line_end="crlf", bytes_per_write=5), whole())
    yield case("CR, 5 bytes a write", Faults(line_end="cr", bytes_per_write=5), whole())
    marked = Faults(has_byte_order_mark=True)
    yield case("byte order mark", marked, whole())
    cut = Faults(has_byte_order_mark=True, bytes_per_write=1)
    yield case("byte order mark, 1 byte a write", cut, whole())
    yield case("a body without length", Faults(framing="close"), whole())
    for kind in ("text/plain", "application/octet-stream", "Text/Event-Stream;charset=x"):
        yield case(f"content type {kind}", Faults(content_type=kind), whole())
    malformed = failed("malformed", ended_by=EITHER)
    for kind in ("application/json", "text/html", "application/x-ndjson"):
        yield case(f"content type {kind}", Faults(content_type=kind), malformed)


def spoiled_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield chunks that are broken, missing, repeated or out of order."""
    for name, at in {
        "first": 0,
        "first word's": dialect.after_words(0),
        "finish reason's": dialect.after_finish - 1,
    }.items():
        yield case(
            f"invalid JSON in the {name} chunk",
            Faults(invalid_json_at=at),
            failed("malformed", dialect.text_of(at), ended_by=EITHER),
        )
    at = dialect.after_words(4)
    yield case(
        "invalid JSON, then silence",
        Faults(invalid_json_at=at, failure=Stall(after_chunks=at + 1)),
        failed("malformed", words(4), ended_by=HUNG_UP),
    )
    yield case(
        "the first word twice",
        Faults(duplicate_at=dialect.after_words(0)),
        whole(text=words(1) + words(WORDS)),
    )
    yield case(
        "the last words swapped",
        Faults(swap_at=dialect.after_words(WORDS - 2)),
        whole(text=words(WORDS - 2) + words(1, first=WORDS - 1) + words(1, first=WORDS - 2)),
    )
    yield from _omissions(dialect)


def _omissions(dialect: Dialect) -> Iterator[Case]:
    yield case(
        "neither finish reason nor [DONE]",
        Faults(omit=frozenset({"finish_reason", "done"})),
        failed("truncated", words(WORDS), has_usage=dialect.has_usage_apart),
    )
    yield case(
        "neither finish reason, usage nor [DONE]",
        Faults(omit=frozenset({"finish_reason", "usage", "done"})),
        failed("truncated", words(WORDS)),
    )
    yield case(
        "neither usage nor [DONE]",
        Faults(omit=frozenset({"usage", "done"})),
        whole(has_usage=False),
    )
    yield case(
        "no annotations of the prompt",
        Faults(omit=frozenset({"prompt_filter_results"})),
        whole(),
    )


ERROR_SHAPES: tuple[ErrorShape, ...] = (
    "openai",
    "string",
    "event_flat",
    "event_nested",
    "openrouter",
    "llama_cpp",
    "vllm",
    "responses_error",
)
SILENT_SHAPES: tuple[ErrorShape, ...] = ("ollama", "bare")
"""These say nothing that could be understood; only the end is missing."""


def error_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield errors inside the stream, in every shape, before the first word and after some."""
    # Each of these is an error in its own API, and nothing in the other.
    own: ErrorShape = "openrouter_choice"
    other: ErrorShape = "responses_failed"
    if dialect.api == "responses":
        own, other = other, own
    for shape in (*ERROR_SHAPES, own):
        for at in (0, 7):
            error = StreamError(shape=shape, after_chunks=at, message=MARK)
            yield case(
                f"error in the stream, {shape}, after {at} chunks",
                Faults(failure=error),
                failed("provider_failed", dialect.text_of(at), ended_by=EITHER),
            )
    for shape in (*SILENT_SHAPES, other):
        error = StreamError(shape=shape, after_chunks=7, message=MARK)
        yield case(
            f"error in the stream, {shape}, unheard",
            Faults(failure=error),
            failed("truncated", dialect.text_of(7)),
        )


def answer_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield answers that are odd, but no faults; and one that is too large."""
    reasons: dict[str, FinishReason] = {"length": "length", "content_filter": "content_filter"}
    if dialect.api == "chat":
        reasons |= {"tool_calls": "tool_calls", "eos_token": "other"}
    for raw, reason in reasons.items():
        answer = Answer(finish_reason=raw)
        yield case(f"finish reason {raw}", answer, whole(finish_reason=reason))
    yield case("an empty answer", Answer(text=""), whole(text=""))
    yield case("no usage at all", Answer(usage=None), whole(has_usage=False))
    yield case("one large chunk", Answer(text=(_LARGE,)), whole(text=_LARGE))
    yield case(
        "a chunk over the limit",
        Answer(text=("before ", "x" * 9_000_000)),
        failed("too_large", "before ", ended_by=EITHER),
    )
    yield case("a prompt of 1 MB", Faults(), whole(), prompt=_MEGABYTE)
    if dialect.has_choices:
        yield from _choice_cases(dialect)


def _choice_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield answers with two choices, whose chunks take turns: both must have finished."""
    before_choices = int(dialect.is_azure)
    after_one = before_choices + 2 * (dialect.after_finish - before_choices) - 1
    yield case("two choices", Answer(), whole(), n=2)
    yield case(
        "two choices, one finished",
        Faults(failure=EndOfFile(after_chunks=after_one)),
        failed("truncated", words(WORDS), finish_reason="stop", ended_by=CUT),
        n=2,
    )
    yield case(
        "two choices, one finished, then silence",
        Faults(failure=Stall(after_chunks=after_one)),
        failed(
            "stalled",
            words(WORDS),
            finish_reason="stop",
            ended_by=HUNG_UP,
            lasts_s=DEADLINES.stall_timeout_s,
        ),
        n=2,
    )
    yield case(
        "two choices, both finished",
        Faults(failure=EndOfFile(after_chunks=after_one + 1)),
        whole(has_usage=False, ended_by=CUT),
        n=2,
    )
