"""What the `stream_*` functions return: an answer as an iterator of text.

The async stream does the work. The sync one waits for it, one hop to the
background loop for each batch. Neither knows where the events come from.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import Self, assert_never

from tickertape.client.base import OpenSource, Source
from tickertape.client.response import StreamedResponse
from tickertape.core.errors import (
    ConnectionLost,
    RecordsLost,
    RunCancelled,
    RunFailed,
    TickertapeError,
)
from tickertape.core.events import Event, RunEnded
from tickertape.engine.background import background


class AsyncTextStream:
    """An answer's text, piece by piece, as `async for`; also an async context manager.

    Nothing is sent before the first piece is asked for. To stop early, leave an
    `async with`, call `close`, or drop the stream: each closes the connection.
    An answer that was cut, or failed, raises; only a whole answer, and one that
    was stopped through this object, ends quietly. It belongs to the event loop
    that first reads it.
    """

    def __init__(self, open_source: OpenSource) -> None:
        self.response = StreamedResponse()
        """What was handed out so far; complete when the iteration ends."""
        self._open_source = open_source
        self._holder: AsyncGenerator[Source, None] | None = None
        self._source: Source | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unread: deque[Event] = deque()
        self._failure: TickertapeError | None = None
        self._is_cancelled = False
        self._is_closed = False
        self._reading = asyncio.Lock()
        self._releasing = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """Return the next piece of text, never an empty one.

        Raises:
            RunFailed: the answer failed or was cut; `partial_text` is what came.
            RunCancelled: somebody else stopped it.
            ConnectionLost: the server that runs it can't be reached any more.
            RecordsLost: the server has lost what was read; `partial_text` is that.
            ConfigurationError, InvalidRequest: there is nothing that could answer.
        """
        while not (text := self.take_text()):
            if not await self.fetch():
                raise StopAsyncIteration
        return text

    async def events(self) -> AsyncGenerator[Event, None]:
        """Iterate over events instead of text; errors are the same. `RunEnded` comes last."""
        while True:
            if (event := self.take_event()) is not None:
                yield event
            elif not await self.fetch():
                return

    def cancel(self) -> None:
        """Stop the model. The iteration then ends quietly, with `outcome` "cancelled".

        May be called from any task or thread. Safe to repeat.
        """
        self._is_cancelled = True
        if self._source is None or self._loop is None or self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(self._source.cancel, "user")
        except RuntimeError:
            if not self._loop.is_closed():  # if it is, the connection is, too
                raise

    async def close(self) -> None:
        """Leave: close the connection and drop what was not read. Safe to repeat."""
        self._is_closed = True
        self._unread.clear()
        await self._release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # What follows is for the sync stream, too: it takes here what a fetch there brought.

    def take_event(self) -> Event | None:
        """Return the next event that has arrived; None when another fetch is needed."""
        if not self._unread:
            return None
        event = self._unread.popleft()
        self.response.apply(event)
        return event

    def take_text(self) -> str:
        """Return the next text that has arrived; none when another fetch is needed."""
        while self._unread:
            if text := self.response.apply(self._unread.popleft()):
                return text
        return ""

    async def fetch(self) -> bool:
        """Wait for the next batch; False when the answer is over, or was left.

        Raises:
            TickertapeError: as `__anext__`.
        """
        async with self._reading:
            if self._unread:
                return True
            if self._failure is not None:
                raise self._failure
            ended = self.response.state.ended
            if ended is not None:
                # Not as soon as the end has come: no text waits for what is left of a connection.
                await self._release()
                self._raise_unless_good(ended)
            if ended is not None or self._is_closed:
                return False
            try:
                return await self._read()
            except TickertapeError as error:
                if isinstance(error, ConnectionLost | RecordsLost):
                    error.partial_text = self.response.content
                self._failure = error
                await self._release()
                raise

    async def _read(self) -> bool:
        events = await (await self._opened()).next()
        if self._is_closed:
            return False
        self._unread.extend(events)
        return True

    async def _opened(self) -> Source:
        loop = asyncio.get_running_loop()
        if self._source is None:
            self._loop = loop
            self._holder = self._open_source()
            self._source = await anext(self._holder)
            if self._is_cancelled:
                self._source.cancel("user")
        if self._loop is not loop:
            raise TickertapeError(
                "this stream is being read in another event loop (or in the process that this "
                "one was forked from); start a new one here"
            )
        return self._source

    async def _release(self) -> None:
        """Close the source. Not where it belongs to another loop, which has to do that itself."""
        if self._holder is None or self._loop is not asyncio.get_running_loop():
            return
        async with self._releasing:
            await self._holder.aclose()

    def _raise_unless_good(self, ended: RunEnded) -> None:
        match ended.outcome:
            case "completed":
                return
            case "cancelled":
                if not self._is_cancelled:
                    raise RunCancelled(
                        ended.cancelled_by or "user", partial_text=self.response.content
                    )
            case "failed":
                assert ended.error is not None
                assert self._source is not None
                raise RunFailed(
                    ended.error, partial_text=self.response.content, detail=self._source.detail
                )
            case _:
                assert_never(ended.outcome)


class TextStream:
    """An answer's text, piece by piece, as `for`; also a context manager.

    Nothing is sent before the first piece is asked for. To stop early, leave a
    `with`, call `close`, or drop the stream: each closes the connection. An
    answer that was cut, or failed, raises; only a whole answer, and one that was
    stopped through this object, ends quietly. Ctrl-C interrupts the wait at once.
    """

    def __init__(self, open_source: OpenSource) -> None:
        self._stream = AsyncTextStream(open_source)

    @property
    def response(self) -> StreamedResponse:
        """Return what was handed out so far; complete when the iteration ends."""
        return self._stream.response

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        """Return the next piece of text, never an empty one.

        Raises:
            TickertapeError: as `AsyncTextStream.__anext__`.
        """
        while not (text := self._stream.take_text()):
            if not background.call(self._stream.fetch()):
                raise StopIteration
        return text

    def events(self) -> Generator[Event, None, None]:
        """Iterate over events instead of text; errors are the same. `RunEnded` comes last."""
        while True:
            if (event := self._stream.take_event()) is not None:
                yield event
            elif not background.call(self._stream.fetch()):
                return

    def cancel(self) -> None:
        """Stop the model. The iteration then ends quietly, with `outcome` "cancelled".

        May be called from any thread. Safe to repeat.
        """
        self._stream.cancel()

    def close(self) -> None:
        """Leave: close the connection and drop what was not read. Safe to repeat."""
        background.call(self._stream.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
