"""A provider that says bytes at set times, without a socket; time is the event loop's."""

from __future__ import annotations

import asyncio

from tickertape.core.errors import ProviderError
from tickertape.core.request import ChatRequest, Message
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")], model="m")


def sse(*texts, finish_reason=None):
    """Return chat completion chunks as bytes, one for each text; then the finish reason."""
    deltas = [f'{{"content":"{text}"}},"finish_reason":null' for text in texts]
    if finish_reason:
        deltas.append(f'{{}},"finish_reason":"{finish_reason}"')
    chunks = [f'data: {{"choices":[{{"index":0,"delta":{delta}}}]}}\n\n' for delta in deltas]
    return "".join(chunks).encode()


DONE = b"data: [DONE]\n\n"


class CannedStream:
    """Reads take as long, and bring what, a script of (seconds, bytes or error) says."""

    def __init__(self, script, translator):
        self.translator = translator
        self.closings = 0
        self._script = iter(script)
        self._closed = asyncio.Event()

    async def read(self):
        wait_s, what = next(self._script, (0, b""))
        try:
            async with asyncio.timeout(wait_s):
                await self._closed.wait()
        except TimeoutError:
            if isinstance(what, ProviderError):
                raise what from None
            return what
        return b""

    def close(self):
        self.closings += 1
        self._closed.set()


class CannedProvider:
    """Opens the same stream again and again, or refuses."""

    name = "canned"

    def __init__(self, *script, opens_after_s=0, translator=ChatCompletionsTranslator):
        self.stream = None
        self.closings = 0
        self._script = script
        self._opens_after_s = opens_after_s
        self._make_translator = translator

    async def open(self, request):
        await asyncio.sleep(self._opens_after_s)
        if self._script and isinstance(self._script[0], ProviderError):
            raise self._script[0]
        self.stream = CannedStream(self._script, self._make_translator())
        return self.stream

    async def close(self):
        self.closings += 1

    def describe(self):
        return "canned: as before"
