"""The time from a provider's bytes to events, against the `openai` package's stream class.

No network: both are fed the same bytes, cut the same way. Theirs is given its
bytes by the barest response object that it accepts, so httpx2 costs it nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from statistics import median
from typing import Any, Final

from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai.types.chat import ChatCompletionChunk

from benchmarks import azure_stream
from benchmarks.findings import Finding, check_text
from tickertape.core.events import TextDelta
from tickertape.providers.chat_completions import ChatCompletionsTranslator, EndPolicy

FLOOR_TIMES: Final = 40.0
READ_BYTES: Final = 65_536

Decoder = Callable[[Sequence[bytes]], str]
"""Reads of one whole stream → its text."""


def run(*, quick: bool) -> list[Finding]:
    """Measure every decoder with both ways to cut the stream."""
    count, rounds = (2_000, 2) if quick else (20_000, 3)
    sent = azure_stream.tokens(count)
    chunks = azure_stream.whole(sent)
    return [
        compare("decode, one chunk a read", chunks, sent=sent, rounds=rounds),
        compare("decode, 64 KiB a read", recut(chunks), sent=sent, rounds=rounds),
    ]


def compare(
    name: str,
    reads: Sequence[bytes],
    *,
    sent: Sequence[str],
    rounds: int,
    decoders: Sequence[Decoder] | None = None,
) -> Finding:
    """Let every decoder have the same reads in turn, `rounds` times over.

    Raises:
        TextDiffers: a decoder's text is not what was sent.
    """
    text = "".join(sent)
    costs: dict[str, list[float]] = {}
    for _ in range(rounds):
        for decoder in decoders or (ours, usual, usual_async):
            # CPU time: what else the machine does counts for little.
            started_s = time.process_time()
            received = decoder(reads)
            cost_us = (time.process_time() - started_s) * 1e6 / len(sent)
            check_text(text, received, who=f"{name}, {decoder.__name__}")
            costs.setdefault(decoder.__name__, []).append(cost_us)
    return Finding(
        name=name,
        unit="µs/chunk",
        figures={who: median(found) for who, found in costs.items()},
        floor_times=FLOOR_TIMES,
    )


def recut(chunks: Sequence[bytes]) -> list[bytes]:
    """Return the same bytes in reads of 64 KiB, which end anywhere."""
    whole = b"".join(chunks)
    return [whole[at : at + READ_BYTES] for at in range(0, len(whole), READ_BYTES)]


def ours(reads: Sequence[bytes]) -> str:
    """Decode with our translator."""
    translator = ChatCompletionsTranslator(end_policy=EndPolicy.FINISH_REASON)
    text: list[str] = []
    for read in reads:
        events = translator.feed(read)
        text += [event.text for event in events if type(event) is TextDelta]
    translator.close()
    assert translator.end is not None
    assert translator.end.error is None, translator.end
    return "".join(text)


def usual(reads: Sequence[bytes]) -> str:
    """Decode with the `openai` package, synchronously."""
    client = OpenAI(api_key="none", base_url="http://127.0.0.1:9")
    stream = Stream(cast_to=ChatCompletionChunk, response=_response(reads), client=client)
    return "".join([_text_of(chunk) for chunk in stream])


def usual_async(reads: Sequence[bytes]) -> str:
    """Decode with the `openai` package, in an event loop."""

    async def decode() -> str:
        client = AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:9")
        stream = AsyncStream(cast_to=ChatCompletionChunk, response=_response(reads), client=client)
        return "".join([_text_of(chunk) async for chunk in stream])

    return asyncio.run(decode())


def _text_of(chunk: ChatCompletionChunk) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


class _Response:
    """As much of an httpx2 response as the stream classes touch."""

    http_version = "HTTP/2"  # HTTP/1.1 would have it read on after [DONE]

    def __init__(self, reads: Sequence[bytes]) -> None:
        self._reads = reads

    def iter_bytes(self) -> Sequence[bytes]:
        return self._reads

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for read in self._reads:
            yield read

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def _response(reads: Sequence[bytes]) -> Any:
    return _Response(reads)
