"""The time from a provider's bytes to events, against the `openai` package's stream class.

All three APIs. No network: both are fed the same bytes, cut the same way. Theirs is
given its bytes by the barest response object that it accepts, so httpx2 costs it nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from benchmarks import azure_completion_stream, azure_response_stream, azure_stream
from benchmarks.findings import Finding, check_text
from tickertape.core.events import TextDelta
from tickertape.providers.base import Translator
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.completions import CompletionsTranslator
from tickertape.providers.translators.responses import ResponsesTranslator

FLOOR_TIMES: Final = 40.0
READ_BYTES: Final = 65_536

Reads = Sequence[bytes]
"""One whole stream, as it was cut."""


@dataclass(frozen=True, slots=True)
class Api:
    """One API: its stream, and what each side reads it with."""

    name: str
    stream: Callable[[Sequence[str]], list[bytes]]
    """Token texts → the bytes of each event."""
    translator: Callable[[], Translator]
    cast_to: Any
    """What the `openai` package makes of each event."""
    text_of: Callable[[Any], str]
    """The text in one of those."""
    floor_times: float = FLOOR_TIMES

    def ours(self, reads: Reads) -> str:
        """Decode with our translator."""
        translator = self.translator()
        text: list[str] = []
        for read in reads:
            events = translator.feed(read)
            text += [event.text for event in events if type(event) is TextDelta]
        translator.close()
        assert translator.end is not None
        assert translator.end.error is None, translator.end
        return "".join(text)

    def usual(self, reads: Reads) -> str:
        """Decode with the `openai` package, synchronously."""
        client = OpenAI(api_key="none", base_url="http://127.0.0.1:9")
        stream = Stream(cast_to=self.cast_to, response=_response(reads), client=client)
        return "".join([self.text_of(event) for event in stream])

    def usual_async(self, reads: Reads) -> str:
        """Decode with the `openai` package, in an event loop."""

        async def decode() -> str:
            client = AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:9")
            stream = AsyncStream(cast_to=self.cast_to, response=_response(reads), client=client)
            return "".join([self.text_of(event) async for event in stream])

        return asyncio.run(decode())


CHAT: Final = Api(
    "chat completions",
    azure_stream.whole,
    ChatCompletionsTranslator,
    ChatCompletionChunk,
    lambda chunk: (chunk.choices[0].delta.content or "") if chunk.choices else "",
)
COMPLETIONS: Final = Api(
    "completions",
    azure_completion_stream.whole,
    CompletionsTranslator,
    Completion,
    lambda chunk: chunk.choices[0].text if chunk.choices else "",
    floor_times=25.0,  # its models are the plainest, so theirs is a third faster here
)
RESPONSES: Final = Api(
    "responses",
    azure_response_stream.whole,
    ResponsesTranslator,
    ResponseStreamEvent,
    lambda event: event.delta if event.type == "response.output_text.delta" else "",
)
APIS: Final = (CHAT, COMPLETIONS, RESPONSES)
DECODERS: Final = ("ours", "usual", "usual_async")


def run(*, quick: bool) -> list[Finding]:
    """Measure every decoder of every API with both ways to cut the stream."""
    count, rounds = (2_000, 2) if quick else (20_000, 3)
    sent = azure_stream.tokens(count)
    findings = []
    for api in APIS:
        chunks = api.stream(sent)
        for cut, reads in (("one event a read", chunks), ("64 KiB a read", recut(chunks))):
            name = f"decode {api.name}, {cut}"
            findings.append(compare(name, reads, api=api, sent=sent, rounds=rounds))
    return findings


def compare(
    name: str,
    reads: Reads,
    *,
    api: Api,
    sent: Sequence[str],
    rounds: int,
    decoders: Sequence[str] = DECODERS,
) -> Finding:
    """Let every decoder have the same reads in turn, `rounds` times over.

    Raises:
        TextDiffers: a decoder's text is not what was sent.
    """
    text = "".join(sent)
    costs: dict[str, list[float]] = {}
    for _ in range(rounds):
        for who in decoders:
            # CPU time: what else the machine does counts for little.
            started_s = time.process_time()
            received = getattr(api, who)(reads)
            cost_us = (time.process_time() - started_s) * 1e6 / len(sent)
            check_text(text, received, who=f"{name}, {who}")
            costs.setdefault(who, []).append(cost_us)
    return Finding(
        name=name,
        unit="µs/event",
        figures={who: median(found) for who, found in costs.items()},
        floor_times=api.floor_times,
    )


def recut(chunks: Sequence[bytes]) -> list[bytes]:
    """Return the same bytes in reads of 64 KiB, which end anywhere."""
    whole = b"".join(chunks)
    return [whole[at : at + READ_BYTES] for at in range(0, len(whole), READ_BYTES)]


class _Response:
    """As much of an httpx2 response as the stream classes touch."""

    http_version = "HTTP/2"  # HTTP/1.1 would have it read on after [DONE]

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def iter_bytes(self) -> Reads:
        return self._reads

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for read in self._reads:
            yield read

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def _response(reads: Reads) -> Any:
    return _Response(reads)
