"""Collects a stream into one value, and calls back on the way.

Makes nothing of text: what came, and how it ended, is the response's to say.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable
from typing import Unpack

from tickertape.client.chat import ChatSettings, Messages, async_stream_chat, stream_chat
from tickertape.client.response import StreamedResponse
from tickertape.client.text_stream import AsyncTextStream, TextStream
from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import InvalidRequest
from tickertape.core.events import TextDelta
from tickertape.providers.catalog import Catalog


class StreamCollector:
    """Reads streams to their end. Keeps nothing: one can be used any number of times.

    A callback that raises ends it all: the provider's connection is closed, and
    the error rises. So does a stream's own error; callbacks for a whole answer are
    not called then.
    """

    def collect(
        self,
        stream: TextStream | Iterable[str],
        on_chunk: Callable[[str], object] | None = None,
    ) -> StreamedResponse:
        """Return everything that the stream brings; `on_chunk` gets each piece as it comes.

        Of a plain iterable nobody knows how it ended: `outcome` stays None.

        Raises:
            TickertapeError: as the stream. What had come is on the error, and in the
                stream's own `response`.
            InvalidRequest: a plain iterable brought something that is not text.
        """
        if isinstance(stream, TextStream):
            with stream:
                for text in stream:
                    if on_chunk is not None:
                        on_chunk(text)
            return stream.response
        response = StreamedResponse()
        try:
            for piece in stream:
                if (text := response.apply(_delta(piece))) and on_chunk is not None:
                    on_chunk(text)
        finally:
            if isinstance(stream, Generator):
                stream.close()
        return response

    async def async_collect(
        self,
        stream: AsyncTextStream | AsyncIterable[str],
        on_chunk: Callable[[str], object] | None = None,
    ) -> StreamedResponse:
        """Return everything that the stream brings, as `collect`.

        Callbacks may be coroutine functions; each is awaited before the next piece.

        Raises:
            TickertapeError: as `collect`.
        """
        if isinstance(stream, AsyncTextStream):
            async with stream:
                async for text in stream:
                    await _call(on_chunk, text)
            return stream.response
        response = StreamedResponse()
        try:
            async for piece in stream:
                if text := response.apply(_delta(piece)):
                    await _call(on_chunk, text)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
        return response

    def stream_with_callback(
        self,
        messages: Messages,
        deployment: str | None = None,
        on_token: Callable[[str], object] | None = None,
        on_complete: Callable[[StreamedResponse], object] | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        **settings: Unpack[ChatSettings],
    ) -> str:
        """Ask, call back with each piece of text and then the whole response; return the text.

        `on_complete` is for whole answers only: one that was cut, or failed, raises
        in its place. The other parameters are `stream_chat`'s.

        Raises:
            TickertapeError: as `stream_chat` and its stream.
        """
        stream = stream_chat(
            messages,
            deployment,
            max_tokens=max_tokens,
            temperature=temperature,
            deadlines=deadlines,
            retry=retry,
            **settings,
        )
        response = self.collect(stream, on_token)
        if on_complete is not None:
            on_complete(response)
        return response.content

    async def async_stream_with_callback(
        self,
        messages: Messages,
        deployment: str | None = None,
        on_token: Callable[[str], object] | None = None,
        on_complete: Callable[[StreamedResponse], object] | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        catalog: Catalog | None = None,
        **settings: Unpack[ChatSettings],
    ) -> str:
        """Ask and call back, as `stream_with_callback`; callbacks may be coroutine functions.

        Raises:
            TickertapeError: as `async_stream_chat` and its stream.
        """
        stream = async_stream_chat(
            messages,
            deployment,
            max_tokens=max_tokens,
            temperature=temperature,
            deadlines=deadlines,
            retry=retry,
            catalog=catalog,
            **settings,
        )
        response = await self.async_collect(stream, on_token)
        await _call(on_complete, response)
        return response.content


async def _call(callback: Callable[..., object] | None, value: object) -> None:
    if callback is not None:
        result = callback(value)
        if inspect.isawaitable(result):
            await result


def _delta(piece: object) -> TextDelta:
    if not isinstance(piece, str):
        raise InvalidRequest(
            f"the stream brought {piece!r:.80}, not text; give what stream_chat returns, "
            "or the pieces of text themselves",
            param="stream",
        )
    return TextDelta(piece)
