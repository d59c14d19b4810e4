"""The attempts of one run, up to its first event: retries, failover, hedging.

An attempt has succeeded when it has spoken: when it brought a delta, or an answer
that is whole without one. Until then nothing was shown to anyone, so a failed one
is simply tried again, where and when `core.attempts` says. Afterwards nothing is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tickertape.core.attempts import AttemptPlan, NextAttempt, RetryPolicy
from tickertape.core.errors import ProviderError
from tickertape.core.events import (
    AttemptEnded,
    ChoiceFinished,
    Event,
    ReasoningDelta,
    RefusalDelta,
    RunError,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReported,
)
from tickertape.core.request import Request
from tickertape.providers.base import ProviderStream, Route, StoredStream, StreamEnd

_SPEAKS: Final = frozenset({TextDelta, ReasoningDelta, RefusalDelta, ToolCallDelta, ChoiceFinished})


class Spoken(Struct):
    """A stream that has begun to answer, and what it has said so far."""

    stream: ProviderStream
    events: list[Event]
    route: Route


async def _ignore(_route: Route, _stream: ProviderStream) -> None:
    pass


class Attempts:
    """Opens streams until one speaks. Used once."""

    def __init__(
        self,
        routes: Sequence[Route],
        request: Request,
        *,
        policy: RetryPolicy,
        give_up_at_s: float,
        fraction: Callable[[], float] = random.random,
        on_open: Callable[[Route, ProviderStream], Awaitable[None]] = _ignore,
    ) -> None:
        """`give_up_at_s` is when the run's own deadline passes, on the event loop's clock.

        `on_open` is awaited for each stream before it is read. What it raises ends all attempts.
        """
        self.is_detached = False
        """Stored answers that are given up go on at their providers: another process reads them."""
        self.ended: list[AttemptEnded] = []
        """Every attempt that is over, in the order of their ends."""
        self.unspoken: list[Event] = []
        """What the last failed attempt reported without speaking: filters, usage."""
        self._routes = routes
        self._request = request
        self._policy = policy
        self._give_up_at_s = give_up_at_s
        self._fraction = fraction
        self._on_open = on_open
        self._plan = AttemptPlan(len(routes), backoff=policy.backoff)
        self._loop = asyncio.get_running_loop()
        self._started_at_s = self._loop.time()

    async def speak(self) -> Spoken:
        """Return the first stream that speaks; every other one is closed.

        Raises:
            ProviderError: no attempt succeeded; this is the last one's error.
        """
        if self._policy.hedge_after_s is None or len(self._routes) == 1:
            return await self._one_by_one()
        return await self._side_by_side(self._policy.hedge_after_s)

    def record(self) -> list[AttemptEnded]:
        """Return what belongs into the run's record: nothing, if there was only one attempt."""
        return self.ended if len(self.ended) > 1 else []

    async def _one_by_one(self) -> Spoken:
        while True:
            attempt = self._next()
            assert attempt is not None
            await asyncio.sleep(attempt.wait_s)
            try:
                return await self._try(attempt.route)
            except ProviderError:
                if self._is_over():
                    raise

    async def _side_by_side(self, hedge_after_s: float) -> Spoken:
        """Start the next attempt when one fails, or when one is slow; the first to speak wins."""
        running: set[asyncio.Task[Spoken]] = set()
        error: ProviderError | None = None
        try:
            while True:
                attempt = self._next()
                if attempt is not None and (attempt.wait_s == 0 or not running):
                    await asyncio.sleep(attempt.wait_s)
                    running.add(asyncio.create_task(self._try(attempt.route)))
                elif not running:
                    assert error is not None
                    raise error
                done, running = await asyncio.wait(
                    running,
                    timeout=None if self._next() is None else hedge_after_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    failure = task.exception()
                    if failure is None:
                        winner = task.result()
                        running |= done - {task}
                        return winner
                    if not isinstance(failure, ProviderError):
                        raise failure
                    error = failure
                    if self._is_over() and not running:
                        raise failure
        finally:
            await _end(running)

    def _next(self) -> NextAttempt | None:
        return self._plan.next(now_s=self._loop.time())

    async def _try(self, index: int) -> Spoken:
        """Open one stream and read it until it speaks.

        Raises:
            ProviderError: it failed before it did. It is in the record, and in the plan.
        """
        route = self._routes[index]
        self._plan.begin(index)
        begun_at_s = self._loop.time()
        events: list[Event] = []
        try:
            spoken = await self._until_it_speaks(route, events)
        except ProviderError as error:
            self.unspoken = events
            self._note_failure(index, error)
            self._record(route, begun_at_s, error)
            raise
        except asyncio.CancelledError:
            self._record(route, begun_at_s, None, result="outrun")
            raise
        self._record(route, begun_at_s, None)
        return spoken

    async def _until_it_speaks(self, route: Route, events: list[Event]) -> Spoken:
        request = msgspec.structs.replace(self._request, model=route.model)
        stream = await route.provider.open(request)
        try:
            await self._on_open(route, stream)
            while True:
                chunk = await stream.read()
                translator = stream.translator
                brought = translator.feed(chunk) if chunk else translator.close()
                events += brought
                has_spoken = any(type(event) in _SPEAKS for event in brought)
                if has_spoken or translator.end == StreamEnd():
                    return Spoken(stream, events, route)
                if translator.end is not None:
                    raise _failed(translator.end)
        except BaseException:
            if self.is_detached:
                detach(stream)
            else:
                stream.close()
            raise

    def _note_failure(self, index: int, error: ProviderError) -> None:
        self._plan.fail(
            index,
            now_s=self._loop.time(),
            is_retryable=error.is_retryable,
            asked_s=error.retry_after_s,
            fraction=self._fraction(),
        )
        if error.code == "content_blocked":
            # Another deployment's filter might let it pass; looking for one is not our business.
            self._plan.give_up()

    def _is_over(self) -> bool:
        """Tell whether nothing is left to try before the run's own deadline."""
        attempt = self._next()
        return attempt is None or self._loop.time() + attempt.wait_s >= self._give_up_at_s

    def _record(
        self,
        route: Route,
        begun_at_s: float,
        error: ProviderError | None,
        *,
        result: str = "",
    ) -> None:
        failure = None
        if error is not None:
            failure = RunError(code=error.code, message=str(error), is_retryable=error.is_retryable)
        self.ended.append(
            AttemptEnded(
                provider=route.provider.name,
                model=route.model,
                result="failed" if failure else "outrun" if result else "chosen",
                begun_s=round(begun_at_s - self._started_at_s, 6),
                ended_s=round(self._loop.time() - self._started_at_s, 6),
                error=failure,
                usage=_usage(self.unspoken) if failure else None,
            )
        )


def detach(stream: ProviderStream) -> None:
    """Close the connection; where the provider stores the answer, it goes on there."""
    if isinstance(stream, StoredStream):
        stream.detach()
    else:
        stream.close()


def _usage(events: list[Event]) -> Usage | None:
    reports = [event.usage for event in events if isinstance(event, UsageReported)]
    return reports[-1] if reports else None


def _failed(end: StreamEnd) -> ProviderError:
    assert end.error is not None
    return ProviderError(
        end.error.code,
        end.error.message,
        detail=end.detail,
        is_retryable=end.error.is_retryable,
    )


async def _end(running: set[asyncio.Task[Spoken]]) -> None:
    """Give up attempts that are no longer wanted, and wait until they are gone."""
    for task in running:
        task.cancel()
    for result in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(result, Spoken):  # it spoke in the very moment in which another did
            result.stream.close()
