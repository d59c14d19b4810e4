"""Faults of the connection: where and how it pauses, breaks off, or is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.matrix.dialects import WORDS, Dialect
from tests.matrix.truths import (
    ATTEMPTS,
    CUT,
    DEADLINES,
    FINISHED,
    HUNG_UP,
    MARK,
    Case,
    CutAfter,
    Truth,
    case,
    failed,
    whole,
    words,
)
from tickertape.core.events import ErrorCode
from tickertape.testing.fault_server import EndOfFile, Faults, Rejection, Reset, Stall
from tickertape.testing.faults import Failure

_KEEP_ALIVE = ": keep-alive\n\n"
_INSIDE_CHUNKS = (1, 97, 310, 911, 1333, 2048)


def places(dialect: Dialect) -> dict[str, int]:
    """Return where an answer may stop: the place's name, and after how many chunks it is."""
    found = {
        "before the first event": 0,
        "before the first word": dialect.after_words(0),
        "after the first word": dialect.after_words(1),
        "in the middle": dialect.after_words(12),
        "after the last word": dialect.after_words(WORDS),
        "after the finish reason": dialect.after_finish,
    }
    if dialect.has_usage_apart:
        found["after the usage"] = dialect.after_usage
    return found


def break_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield stalls, ends of file and resets, at each place and inside chunks."""
    for place, at in places(dialect).items():
        stalled = broken(dialect, at, "stalled", ended_by=HUNG_UP, lasts_s=silence_s(dialect, at))
        yield case(f"stall {place}", Faults(failure=Stall(after_chunks=at)), stalled)
        heartbeats = Stall(after_chunks=at, heartbeat=_KEEP_ALIVE)
        yield case(f"stall {place}, with heartbeats", Faults(failure=heartbeats), stalled)
        truncated = broken(dialect, at, "truncated", ended_by=CUT)
        end = EndOfFile(after_chunks=at)
        yield case(f"end of file {place}", Faults(failure=end), truncated)
        inside = EndOfFile(after_chunks=at, ends_body=False)
        yield case(f"end of file {place}, inside the body", Faults(failure=inside), truncated)
        yield case(
            f"end of file {place}, of a body without length",
            Faults(framing="close", failure=end),
            truncated,
        )
        yield case(f"reset {place}", Faults(failure=Reset(after_chunks=at)), truncated)
    for at in _INSIDE_CHUNKS:
        end = EndOfFile(after_bytes=at, ends_body=at % 2 == 0)
        yield case(f"end of file after {at} bytes", Faults(failure=end), CutAfter(at))
        yield case(f"reset after {at} bytes", Faults(failure=Reset(after_bytes=at)), CutAfter(at))
    yield case(
        "stall inside a chunk",
        Faults(failure=Stall(after_bytes=1717)),
        CutAfter(1717, "stalled", HUNG_UP),
    )
    at = dialect.after_finish
    bursts: dict[str, Failure] = {
        "a reset": Reset(after_chunks=at),
        "an end of file": EndOfFile(after_chunks=at, ends_body=False),
    }
    for name, failure in bursts.items():
        yield case(
            f"a burst, then {name} after the finish reason",
            Faults(chunks_per_write=100, failure=failure),
            broken(dialect, at, "truncated", ended_by=CUT),
        )
    yield case(
        "the body never ends",
        Faults(failure=Stall(after_chunks=dialect.after_all)),
        whole(ended_by=HUNG_UP),
    )


def life_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield stalls in which the provider says something, and gets no further."""
    for name, event in signs_of_life(dialect).items():
        sign = f"data: {json.dumps(event)}\n\n"
        stall = Stall(after_chunks=dialect.after_words(3), heartbeat=sign)
        truth = failed(
            "stalled",
            words(3),
            ended_by=HUNG_UP,
            has_usage=name == "usage",
            lasts_s=DEADLINES.stall_timeout_s,
        )
        yield case(
            f"stall in the middle, with {name}",
            Faults(failure=stall),
            truth,
        )


def signs_of_life(dialect: Dialect) -> dict[str, dict[str, object]]:
    """Return events that a provider may send without getting on: none is progress."""
    filtered = {"hate": {"filtered": False, "severity": "low"}}
    if dialect.api == "responses":
        life: dict[str, object] = {"type": "response.in_progress"}
        entry = {"source_type": "completion", "content_filter_results": filtered}
        annotated: dict[str, object] = {"status": "in_progress", "content_filters": [entry]}
        return {
            "an event of an unknown type": {"type": "keepalive", "sequence_number": 99},
            "its status": {**life, "response": {"status": "in_progress"}},
            "annotations": {**life, "response": annotated},
        }
    text = {"text": ""} if dialect.api == "completions" else {"delta": {"content": ""}}
    nothing = {"index": 0, "finish_reason": None, **text}
    reach = {"check_offset": 1, "start_offset": 0, "end_offset": 1}
    annotations = {"content_filter_results": filtered, "content_filter_offsets": reach}
    return {
        "chunks without choices": {"choices": []},
        "chunks without text": {"choices": [nothing]},
        "annotations": {"choices": [{**nothing, **annotations}]},
        "usage": {"choices": [], "usage": {"prompt_tokens": 1}},
    }


def broken(dialect: Dialect, at: int, code: ErrorCode, **facts: Any) -> Truth:
    """Return the truth of a break: a success exactly when the finish reason had come."""
    if at < dialect.after_finish:
        return failed(code, dialect.text_of(at), **facts)
    return whole(has_usage=at >= dialect.after_usage, **facts)


def silence_s(dialect: Dialect, at: int) -> float:
    """Return after how long a silence there is too long."""
    if at >= dialect.after_finish:
        return 0 if dialect.ends_with_finish else DEADLINES.finish_timeout_s
    return DEADLINES.stall_timeout_s if dialect.words_in(at) else DEADLINES.first_progress_timeout_s


def pause_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield answers that take their time, and one that takes too much."""
    yield case("late", Faults(first_byte_delay_s=4), whole())
    yield case("too late", Faults(first_byte_delay_s=6), failed("stalled", ended_by=HUNG_UP))
    yield case("paced", Faults(pace_s=0.5), whole())
    yield case("at once", Faults(chunks_per_write=1000), whole())
    yield case("paced bursts", Faults(chunks_per_write=3, pace_s=1), whole())
    yield case("a pause before the headers", Faults(failure=Stall(for_s=2)), whole())
    for place, at in places(dialect).items():
        pause = Stall(after_chunks=at, for_s=1.5, heartbeat=":\n")
        is_over = dialect.ends_with_finish and at >= dialect.after_finish
        truth = whole(ended_by=HUNG_UP if is_over else FINISHED)
        yield case(f"a pause {place}", Faults(failure=pause), truth)


STATUSES: dict[int, tuple[ErrorCode, bool]] = {
    400: ("provider_rejected", False),
    401: ("provider_rejected", False),
    402: ("provider_rejected", False),
    403: ("provider_rejected", False),
    404: ("provider_rejected", False),
    405: ("provider_rejected", False),
    408: ("provider_failed", True),
    409: ("provider_failed", True),
    413: ("too_large", False),
    418: ("provider_rejected", False),
    422: ("provider_rejected", False),
    429: ("rate_limited", True),
    451: ("provider_rejected", False),
    500: ("provider_failed", True),
    502: ("provider_failed", True),
    503: ("provider_failed", True),
    504: ("provider_failed", True),
    529: ("provider_failed", True),
    599: ("provider_failed", True),
}
"""What each status means, and whether it may pass."""

MEANT_BY_THE_BODY: dict[str, tuple[int, dict[str, object], ErrorCode]] = {
    "no quota left": (429, {"code": "insufficient_quota"}, "rate_limited"),
    "prompt too long": (400, {"code": "context_length_exceeded"}, "too_large"),
    "prompt too long, by type": (400, {"type": "exceed_context_size_error"}, "too_large"),
    "prompt filtered": (400, {"code": "content_filter"}, "content_blocked"),
}


def rejection_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield refusals: by status, by what the body says, by what the headers ask for."""
    for status, (code, may_pass) in STATUSES.items():
        rejection = Rejection(
            status=status, body={"error": {"message": MARK}}, headers={"x-request-id": MARK}
        )
        truth = failed(code, is_retryable=may_pass, status=status)
        yield case(f"status {status}", Faults(failure=rejection), truth)
    for name, (status, error, code) in MEANT_BY_THE_BODY.items():
        rejection = Rejection(status=status, body={"error": {"message": MARK, **error}})
        truth = failed(code, is_retryable=False, status=status)
        yield case(name, Faults(failure=rejection), truth)
    overruled: tuple[tuple[int, ErrorCode, bool], ...] = (
        (429, "rate_limited", False),
        (400, "provider_rejected", True),
    )
    for status, code, should_retry in overruled:
        yield case(
            f"status {status} that says {'' if should_retry else 'not '}to try again",
            Faults(failure=Rejection(status=status, should_retry=should_retry, body=MARK)),
            failed(code, is_retryable=should_retry, status=status),
        )
    for asked_s in (30, 3600):  # beyond the deadline, and beyond all measure
        yield case(
            f"status 503 that wants a wait of {asked_s} s",
            Faults(failure=Rejection(status=503, retry_after_s=asked_s, body=MARK)),
            failed("provider_failed", status=503, requests=1),
        )
    yield case(
        "status 500 as HTML",
        Faults(content_type="text/html", failure=Rejection(status=500, body=f"<h1>{MARK}</h1>")),
        failed("provider_failed", status=500),
    )
    yield case(
        "wrong key",
        Faults(),
        failed("provider_rejected", status=401),
        server={"api_key": "another-key"},
    )
    yield case(
        "unknown deployment",
        Faults(),
        failed("provider_rejected", status=404),
        server={"deployments": ["another"]},
    )


def address_cases(dialect: Dialect) -> Iterator[Case]:
    """Yield what may be wrong before there is a connection, and breaks within TLS."""
    for certificate in ("untrusted", "wrong_name", "expired"):
        yield case(
            f"TLS, {certificate} certificate",
            Faults(),
            failed("provider_unreachable", is_retryable=False, requests=0),
            server={"certificate": certificate},
        )
    with_tls = {"certificate": "trusted"}
    yield case("TLS", Faults(), whole(), server=with_tls)
    for name, failure, truth in (
        ("reset", Reset(after_chunks=9), failed("truncated", dialect.text_of(9), ended_by=CUT)),
        ("stall", Stall(after_chunks=9), failed("stalled", dialect.text_of(9), ended_by=HUNG_UP)),
    ):
        yield case(f"TLS, {name} in the middle", Faults(failure=failure), truth, server=with_tls)
    unreachable = failed("provider_unreachable", requests=0, attempts=ATTEMPTS)
    yield case("nothing listens", Faults(), unreachable, address="nobody")
    yield case(
        "a listener without a word",
        Faults(),
        failed("stalled", requests=0, attempts=1),
        address="mute",
    )
    yield case("a listener without a TLS handshake", Faults(), unreachable, address="mute with TLS")
