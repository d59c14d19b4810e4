"""The catalog: faults with names, each to be had by asking for a model of that name.

Every entry lives in `ENTRIES`.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from tickertape.testing.answers import Answer
from tickertape.testing.fault_server.error_bodies import filtered_prompt
from tickertape.testing.faults import (
    EndOfFile,
    Failure,
    Faults,
    Rejection,
    Reset,
    Stall,
    StreamError,
)
from tickertape.testing.scenarios import Scenario, Turn


class Entry(Struct, frozen=True):
    """One fault with a name."""

    name: str
    meaning: str
    turns: tuple[Turn, ...]


def _entry(name: str, meaning: str, *faults: Faults, answer: Answer | None = None) -> Entry:
    turns = tuple(Turn(answer=answer or Answer(), faults=each) for each in faults)
    return Entry(name, meaning, turns)


def _failing(name: str, meaning: str, failure: Failure) -> Entry:
    return _entry(name, meaning, Faults(failure=failure))


_KEEP_ALIVE: Final = ": keep-alive\n\n"

ENTRIES: Final[tuple[Entry, ...]] = (
    _entry("slow", "A word every 0.1 s.", Faults(pace_s=0.1)),
    _entry(
        "bursts",
        "Eight chunks at a time, every 0.4 s, as Azure's filter lets them through.",
        Faults(chunks_per_write=8, pace_s=0.4),
    ),
    _entry(
        "byte-by-byte",
        "Every byte by itself, with CRLF.",
        Faults(bytes_per_write=1, line_end="crlf"),
    ),
    _failing("silent", "Takes the request and never answers.", Stall()),
    _failing("headers-only", "Sends headers, and nothing after them.", Stall(after_chunks=0)),
    _failing("stall", "Falls silent after five chunks.", Stall(after_chunks=5)),
    _failing(
        "stall-with-heartbeats",
        "The same, with a comment every second to hide it.",
        Stall(after_chunks=5, heartbeat=_KEEP_ALIVE),
    ),
    _failing("refused", "Closes the connection before any answer.", EndOfFile()),
    _failing("reset", "Resets the connection after 1,000 bytes.", Reset(after_bytes=1000)),
    _failing("truncated", "Ends cleanly after five chunks.", EndOfFile(after_chunks=5)),
    _failing("truncated-inside", "Ends cleanly inside a chunk.", EndOfFile(after_bytes=1000)),
    _entry("no-done", "Leaves out [DONE].", Faults(omit=frozenset({"done"}))),
    _entry(
        "no-finish-reason",
        "Leaves out the finish reason.",
        Faults(omit=frozenset({"finish_reason"})),
    ),
    _entry("no-usage", "Leaves out the usage.", Faults(omit=frozenset({"usage"}))),
    _entry("invalid-json", "Chunk 5 is not JSON.", Faults(invalid_json_at=5)),
    _entry("invalid-utf8", "Chunk 5 is not UTF-8.", Faults(invalid_utf8_at=5)),
    _entry("duplicate", "Chunk 5 comes twice.", Faults(duplicate_at=5)),
    _entry("swapped", "Chunks 5 and 6 change places.", Faults(swap_at=5)),
    _failing("error-in-stream", "Reports an error after three chunks.", StreamError()),
    _failing(
        "silent-error",
        "Fails without a word: an empty chunk and no more.",
        StreamError(shape="ollama"),
    ),
    _failing(
        "rate-limited", "Always 429.", Rejection(status=429, retry_after_s=1, retry_after_ms=1000)
    ),
    _entry(
        "rate-limited-once",
        "429, and from then on an answer.",
        Faults(failure=Rejection(status=429, retry_after_ms=10)),
        Faults(),
    ),
    _entry(
        "bad-gateway",
        "502 with a page of HTML, from a proxy.",
        Faults(
            content_type="text/html",
            failure=Rejection(status=502, body="<html><h1>502 Bad Gateway</h1></html>"),
        ),
    ),
    _failing(
        "filtered-prompt",
        "400: Azure's filter refused the prompt.",
        Rejection(status=400, body=filtered_prompt()),
    ),
    _entry(
        "filtered-answer",
        "Azure's filter stops the answer.",
        Faults(),
        answer=Answer(finish_reason="content_filter", filters="async"),
    ),
    _entry(
        "late-filter",
        "Azure's annotations come after the finish reason.",
        Faults(),
        answer=Answer(filters="async"),
    ),
)


def fault_catalog() -> Scenario:
    """Return the scenario with every entry; any other model gets a good answer."""
    return Scenario(models={entry.name: entry.turns for entry in ENTRIES})
