"""Responses that go on at the provider while nobody is connected.

Such a response is started once (`background`). When its connection drops, the
stream takes it up again by itself, after the last event that was whole: who reads
it notices nothing. It ends only when it is done or cancelled there; so whoever
closes its stream early makes us send that cancel. The tasks that do so belong to
`BackgroundResponses`, whose `close` waits for them.

Sources: OpenAI, "Background mode"; Azure OpenAI documentation, "Azure OpenAI
Responses API".
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final
from urllib.parse import quote
from weakref import WeakSet

from tickertape.core.errors import ProviderError, TickertapeError
from tickertape.core.retry import Backoff
from tickertape.providers.http import ByteStream, HttpTransport
from tickertape.providers.refusal import DETAIL_CHARS
from tickertape.providers.translators.responses import NO_NUMBER, ResponsesTranslator

logger = logging.getLogger("tickertape.providers")

REATTACH: Final = Backoff(first_s=0.25, longest_s=4.0, max_retries=6)
"""Counted from the last event that came: some 12 s at most, well under a stall deadline."""

CANCEL: Final = Backoff(first_s=0.25, longest_s=2.0, max_retries=3)

STOP_TIMEOUT_S: Final = 10.0
"""How long stopping one response may take."""

CLOSE_TIMEOUT_S: Final = 4.0
"""How long `close` waits. The background loop of scripts gives all that closes with it 5 s."""

Sign = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns the headers that sign a request: they may have changed since the last one."""


class BackgroundResponses:
    """One provider's background responses: starts them, and stops those that nobody wants."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        sign: Sign,
        reattach: Backoff = REATTACH,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._backoff = reattach
        self._transport = transport
        self._sign = sign
        self._sleep = sleep
        self._fraction = fraction
        self._streams: WeakSet[BackgroundStream] = WeakSet()
        self._tasks: set[asyncio.Task[Any]] = set()
        # The URLs of responses that are to be cancelled, until they are.
        self._unwanted: set[str] = set()

    async def open(
        self, url: str, *, body: bytes, translator: ResponsesTranslator
    ) -> BackgroundStream:
        """Start a response, and return its stream once the provider has named it.

        Who is cancelled meanwhile leaves nothing running: the response is stopped
        as soon as its name is known.

        Raises:
            ProviderError: not reached, or refused. Nothing stays open.
        """
        opening = self._run(self._start(url, body))
        try:
            opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._run(self._drop(url, opening))
            raise
        return self._stream(url, opened, translator)

    async def reattach(
        self, url: str, response_id: str, *, translator: ResponsesTranslator
    ) -> BackgroundStream:
        """Return the stream of a response that somebody else started, from its beginning.

        Raises:
            ProviderError: not reached for long, or refused.
        """
        failures = 0
        while True:
            try:
                stream = await self.resume(url, response_id, after=NO_NUMBER)
            except ProviderError as error:
                failures += 1
                if not error.is_retryable or not await self.wait_before_retry(
                    failures, asked_s=error.retry_after_s
                ):
                    raise
            else:
                return self._stream(url, _Opened(stream, b"", response_id), translator)

    async def resume(self, url: str, response_id: str, *, after: int) -> ByteStream:
        """Return the bytes of what follows the event with this sequence number.

        `NO_NUMBER` gives the whole response.

        Raises:
            ProviderError: not reached, or refused.
        """
        query = "stream=true"
        if after != NO_NUMBER:
            query += f"&starting_after={after}"
        return await self._transport.open_stream(
            _below(url, response_id, query=query), headers=await self._sign(), body=None
        )

    async def wait_before_retry(self, failures: int, *, asked_s: float | None) -> bool:
        """Wait after this many failures in a row; False means to give up instead."""
        return await self._wait(self._backoff, failures, asked_s)

    def stop(self, url: str, response_id: str) -> None:
        """Cancel a response at the provider, soon. It is not waited for here."""
        self._unwanted.add(_below(url, response_id, "cancel"))
        self._run(self._cancel(_below(url, response_id, "cancel")))

    async def close(self) -> None:
        """Stop every response whose stream is still open, and wait until that is done."""
        for stream in list(self._streams):
            stream.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while self._tasks:  # one of them may start another
                    await asyncio.wait(self._tasks)
                # A loop that ends cancels all its tasks. What they had to do is done here.
                await asyncio.gather(*(self._cancel(url) for url in list(self._unwanted)))
        except TimeoutError:
            logger.warning("%d responses may go on at the provider", len(self._unwanted))
        finally:
            tasks = set(self._tasks)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _stream(
        self, url: str, opened: _Opened, translator: ResponsesTranslator
    ) -> BackgroundStream:
        stream = BackgroundStream(self, url, opened, translator)
        self._streams.add(stream)
        return stream

    def _run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # it was raised in who waited, or nobody waits any more

    async def _start(self, url: str, body: bytes) -> _Opened:
        """POST the request, and read on until the response has a name."""
        stream = await self._transport.open_stream(url, headers=await self._sign(), body=body)
        try:
            return await _until_named(stream)
        except BaseException:
            stream.close()
            raise

    async def _drop(self, url: str, opening: asyncio.Task[_Opened]) -> None:
        """Stop a response that nobody waited for any more when it was started."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                opened = await opening
        except (TickertapeError, TimeoutError):
            return  # nothing was started, or nothing that we know the name of
        opened.stream.close()
        if opened.response_id:
            self.stop(url, opened.response_id)

    async def _cancel(self, url: str) -> None:
        """POST the cancel, again where that may help. Does not raise for the provider."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._cancel_with_retries(url)
        except (TickertapeError, TimeoutError) as error:
            logger.warning("a response could not be cancelled and may go on: %s", error)
        self._unwanted.discard(url)

    async def _cancel_with_retries(self, url: str) -> None:
        failures = 0
        while True:
            try:
                return await self._transport.post(url, headers=await self._sign())
            except ProviderError as error:
                failures += 1
                if not error.is_retryable or not await self._wait(
                    CANCEL, failures, error.retry_after_s
                ):
                    raise

    async def _wait(self, backoff: Backoff, failures: int, asked_s: float | None) -> bool:
        wait_s = backoff.wait_s(failures, fraction=self._fraction(), asked_s=asked_s or 0.0)
        if wait_s is None:
            return False
        await self._sleep(wait_s)
        return True


class _Opened:
    """A response that was started: its connection, and the bytes up to where its name was."""

    __slots__ = ("first", "response_id", "stream")

    def __init__(self, stream: ByteStream, first: bytes, response_id: str) -> None:
        self.stream = stream
        self.first = first
        self.response_id = response_id


async def _until_named(stream: ByteStream) -> _Opened:
    """Read the first bytes, up to an event: the first one has the response's id."""
    first = bytearray()
    scout = ResponsesTranslator()
    while not scout.response_id and scout.end is None and scout.last_number == NO_NUMBER:
        try:
            chunk = await stream.read()
        except ProviderError:
            break  # whoever reads the stream is told, after these bytes
        first += chunk
        if not chunk or scout.feed(chunk):
            break
    return _Opened(stream, bytes(first), scout.response_id)


class BackgroundStream:
    """One background response being received; see `providers.base.StoredStream`."""

    def __init__(
        self,
        responses: BackgroundResponses,
        url: str,
        opened: _Opened,
        translator: ResponsesTranslator,
    ) -> None:
        self.translator = translator
        self.is_closed = False
        self._responses = responses
        self._url = url
        self.response_id = opened.response_id
        self._bytes = opened.stream
        self._first = opened.first
        self._attaching: asyncio.Timeout | None = None
        self._failure: ProviderError | None = None
        self._failures = 0
        self._failed_after = NO_NUMBER

    @property
    def status(self) -> int:
        """Return the response's status, a good one."""
        return self._bytes.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers of the present connection's response; their case does not count."""
        return self._bytes.headers

    async def read(self) -> bytes:
        """Return the next bytes, from whatever connection they come; `b""` at the end of file.

        Raises:
            ProviderError: the connection broke, and the response could not be
                taken up again (`truncated`).
        """
        if self._first:
            first, self._first = self._first, b""
            return first
        while self._failure is None:
            broken: ProviderError | None = None
            try:
                chunk = await self._bytes.read()
            except ProviderError as error:
                chunk, broken = b"", error
            if chunk or self.is_closed:
                return chunk
            if not self._can_resume():
                if broken is not None:
                    raise broken
                return b""
            if not await self._attach(broken):
                return b""
        raise self._failure

    def close(self) -> None:
        """Close the connection; where the response is not over, cancel it. Safe to repeat."""
        if self.is_closed:
            return
        self.detach()
        if self.response_id and not self.translator.is_over:
            self._responses.stop(self._url, self.response_id)

    def detach(self) -> None:
        """Close the connection only: the response goes on. Safe to repeat."""
        if self.is_closed:
            return
        self.is_closed = True
        self._first = b""
        self._bytes.close()
        if self._attaching is not None:
            self._attaching.reschedule(asyncio.get_running_loop().time())

    def _can_resume(self) -> bool:
        translator = self.translator
        has_begun = bool(self.response_id) and translator.last_number != NO_NUMBER
        return has_begun and translator.end is None

    async def _attach(self, broken: ProviderError | None) -> bool:
        """Connect again, to go on after the last whole event; False once closed."""
        self._bytes.close()
        try:
            async with asyncio.timeout(None) as self._attaching:
                await self._attach_with_retries(broken)
        except ProviderError as error:
            self._failure = error
            raise
        except TimeoutError:
            if not self.is_closed:
                raise
        finally:
            self._attaching = None
        if self.is_closed:
            self._bytes.close()
        return not self.is_closed

    async def _attach_with_retries(self, error: ProviderError | None) -> None:
        translator = self.translator
        if translator.last_number > self._failed_after:
            self._failures = 0
        self._failed_after = translator.last_number
        while True:
            self._failures += 1
            asked_s = error.retry_after_s if error is not None else None
            if not await self._responses.wait_before_retry(self._failures, asked_s=asked_s):
                raise _lost(error) from error
            try:
                self._bytes = await self._responses.resume(
                    self._url, self.response_id, after=translator.last_number
                )
            except ProviderError as refused:
                if not refused.is_retryable:
                    raise _lost(refused) from refused
                error = refused
            else:
                translator.resume()
                return


def _lost(why: ProviderError | None) -> ProviderError:
    detail = f"{why}: {why.detail}" if why is not None else "end of file before the last event"
    return ProviderError(
        "truncated",
        "the provider's connection broke, and the response could not be taken up again",
        detail=detail[:DETAIL_CHARS],
        is_retryable=True,
    )


def _below(url: str, *names: str, query: str = "") -> str:
    """Return the URL of something below `url`; a query that it has already is kept."""
    base, _, own_query = url.partition("?")
    path = "/".join([base, *(quote(name, safe="") for name in names)])
    both = "&".join(filter(None, [own_query, query]))
    return f"{path}?{both}" if both else path
