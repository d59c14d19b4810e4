"""The faults with names: what becomes of each entry of the fault catalog."""

from __future__ import annotations

from collections.abc import Iterator

from tests.matrix.dialects import WORDS, Dialect
from tests.matrix.truths import (
    CUT,
    EITHER,
    HUNG_UP,
    Case,
    CutAfter,
    Facts,
    Truth,
    failed,
    whole,
    words,
)
from tickertape.testing.fault_catalog import ENTRIES


def catalog_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield a case for every entry of the catalog; one without a truth is an error."""
    truths = catalog_truths(dialect)
    for entry in ENTRIES:
        yield Case(name=entry.name, turns=entry.turns, truth=truths[entry.name])


def catalog_truths(dialect: Dialect) -> dict[str, Facts]:
    """Return what is true after each entry."""
    after_3, after_5 = dialect.text_of(3), dialect.text_of(5)
    at = dialect.words_in(5)
    rest = words(WORDS, first=at)
    return {
        "slow": whole(),
        "bursts": whole(),
        "byte-by-byte": whole(),
        "silent": failed("stalled", ended_by=HUNG_UP),
        "headers-only": failed("stalled", ended_by=HUNG_UP),
        "stall": failed("stalled", after_5, ended_by=HUNG_UP),
        "stall-with-heartbeats": failed("stalled", after_5, ended_by=HUNG_UP),
        "refused": failed("provider_unreachable", ended_by=CUT),
        "reset": CutAfter(1000),
        "truncated": failed("truncated", after_5, ended_by=CUT),
        "truncated-inside": CutAfter(1000),
        "no-done": whole(),
        "no-finish-reason": without_finish_reason(dialect),
        "no-usage": whole(has_usage=False),
        "invalid-json": failed("malformed", after_5, ended_by=EITHER),
        "invalid-utf8": whole(text=after_5 + "\ufffd" + rest),
        # Text as it arrived: a client can't know that it was not meant so.
        "duplicate": whole(text=words(at + 1) + rest),
        "swapped": whole(
            text=after_5 + words(1, first=at + 1) + words(1, first=at) + words(WORDS, first=at + 2)
        ),
        "error-in-stream": failed("provider_failed", after_3, ended_by=EITHER),
        "silent-error": failed("truncated", after_3),
        "rate-limited": failed("rate_limited", status=429),
        "rate-limited-once": whole(requests=2),
        "bad-gateway": failed("provider_failed", status=502),
        "filtered-prompt": failed("content_blocked", status=400),
        "filtered-answer": whole(finish_reason="content_filter"),
        "late-filter": whole(),
    }


def without_finish_reason(dialect: Dialect) -> Truth:
    """Return the truth where everything comes but the finish reason."""
    if dialect.needs_finish_reason:
        return failed("truncated", words(WORDS), has_usage=dialect.has_usage_apart)
    return Truth(text=words(WORDS), has_usage=True)
