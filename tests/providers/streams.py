"""What the tests of all translators share: vectors, ways to cut a stream, and ways to spoil it."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tickertape.core.coalesce import coalesce
from tickertape.core.codec import encode_event
from tickertape.core.events import Event
from tickertape.providers.base import StreamEnd, Translator

FOLDER = Path(__file__).parents[2] / "conformance" / "providers"
DONE = b"data: [DONE]\n\n"


def vectors_of(api: str) -> dict[str, dict[str, Any]]:
    """Return one API's vectors by name."""
    files = sorted((FOLDER / api).glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in files}


def body_of(vector: dict[str, Any]) -> bytes:
    if "stream_base64" in vector:
        return base64.b64decode(vector["stream_base64"])
    return "".join(vector["stream"]).encode()


def translate(translator: Translator, chunks: Iterable[bytes]) -> tuple[list[Event], StreamEnd]:
    """Feed the chunks as the engine does: until the end is set, then close."""
    events: list[Event] = []
    for chunk in chunks:
        events += translator.feed(chunk)
        if translator.end is not None:
            break
    events += translator.close()
    assert translator.end is not None
    return list(coalesce(events)), translator.end


def stored(events: list[Event]) -> list[Any]:
    return [json.loads(encode_event(event)) for event in events]


def ending(end: StreamEnd) -> dict[str, Any] | None:
    if end.error is None:
        return None
    return {"code": end.error.code, "is_retryable": end.error.is_retryable}


def whole(body: bytes) -> Iterator[list[bytes]]:
    yield [body]


def byte_by_byte(body: bytes) -> Iterator[list[bytes]]:
    yield [body[at : at + 1] for at in range(len(body))]


def in_two_at_every_place(body: bytes) -> Iterator[list[bytes]]:
    for at in range(len(body) + 1):
        yield [body[:at], body[at:]]


def random_chunks(body: bytes, seed: int) -> list[bytes]:
    choose = random.Random(seed)
    cuts = sorted(choose.randrange(len(body) + 1) for _ in range(choose.randrange(8)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def mutated(body: bytes, choose: random.Random, others: list[bytes]) -> bytes:
    for _ in range(choose.randrange(1, 4)):
        at = choose.randrange(len(body) + 1)
        to = min(len(body), at + choose.randrange(1, 40))
        match choose.randrange(6):
            case 0:
                body = body[:at] + choose.randbytes(choose.randrange(1, 4)) + body[at + 1 :]
            case 1:
                body = body[:at] + body[to:]
            case 2:
                body = body[:to] + body[at:]
            case 3:
                piece = choose.choice(
                    [b"\\ud83d", b"\\ude00", b"null", b"{}", b"[]", b"1e999", b'"', b"\n\n", b"\r"]
                )
                body = body[:at] + piece + body[at:]
            case 4:
                other = choose.choice(others)
                body = body[:at] + other[choose.randrange(len(other) + 1) :]
            case _:
                at = body.find(b":", at) + 1
                value = choose.choice(
                    [b"null,", b"0,", b'"x",', b"{},", b"[],", b"true,", b"[{}],"]
                )
                body = body[:at] + value[:-1] + body[max(body.find(b",", at), at) :]
    return body


def mutated_streams(api: str, *, count: int) -> Iterator[tuple[bytes, int]]:
    """Give the vectors' streams with flipped, lost, doubled and swapped bytes, each with a seed."""
    bodies = [body_of(vector) for vector in vectors_of(api).values()]
    choose = random.Random(20261122)
    for seed in range(count):
        yield mutated(choose.choice(bodies), choose, bodies), seed


def check(make: Callable[[], Translator], body: bytes, seed: int) -> None:
    """Whole and in random pieces: the same events and end, nothing raised, all storable."""
    results = []
    for chunks in ([body], random_chunks(body, seed)):
        events, end = translate(make(), chunks)
        for event in events:
            encode_event(event)  # which raises for a lone surrogate
        end.detail.encode()
        results.append((events, end))
    assert results[0] == results[1], body
