"""One answer as batches of events, under deadlines, that can be cancelled.

Knows no log and no reader: the writer puts the batches into a log, a script
reads them as they are. A step never raises for what a provider does. It always
ends in exactly one `RunEnded`.

How it stops: cancel and deadlines close the provider's connection, which ends
the read that waits on it. So the hot path has no task, no timer and no scope of
its own for each read.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, assert_never

from msgspec import Struct

from tickertape.core.attempts import NO_RETRIES, RetryPolicy
from tickertape.core.coalesce import coalesce
from tickertape.core.deadlines import Deadlines, Progress, next_deadline
from tickertape.core.errors import LogError, ProviderError
from tickertape.core.events import (
    AnswerStored,
    CancelledBy,
    ChoiceFinished,
    Event,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunError,
    RunStarted,
    TextDelta,
    Timings,
    ToolCallDelta,
)
from tickertape.core.request import Request
from tickertape.core.run_state import RunState
from tickertape.engine.attempts import Attempts, detach
from tickertape.providers.base import ProviderStream, Route, StoredStream, StreamEnd

logger = logging.getLogger("tickertape.engine")

_PROGRESS: Final = frozenset({TextDelta, ReasoningDelta, RefusalDelta, ToolCallDelta})

RELEASE_TIMEOUT_S: Final = 0.25
"""The two ends travel together: what takes longer is a connection kept open for another reason."""

_End: TypeAlias = StreamEnd | CancelledBy


class Earlier(Struct, frozen=True):
    """What another process has stored of a run, for a step that goes on with it."""

    state: RunState
    """The fold of all that is stored. The step takes it over."""
    age_s: float
    """How long ago the run was started."""
    first_progress_s: float | None
    """From its start to its first delta; None when there was none."""


class Step:
    """One answer, from its first attempt to its end. Pull it with `next`; always `close` it."""

    def __init__(
        self,
        routes: Sequence[Route],
        request: Request,
        *,
        started: RunStarted,
        deadlines: Deadlines,
        retry: RetryPolicy = NO_RETRIES,
        fraction: Callable[[], float] = random.random,
        on_stored: Callable[[AnswerStored], Awaitable[object]] | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        """`on_stored` is told at once where the answer can be read again, before anything else.

        It may raise a `LogError`, which `next` then raises. `earlier` is what another
        process has stored of the same run.
        """
        self.state = RunState() if earlier is None else earlier.state
        """The fold of what `next` has returned."""
        self.detail = ""
        """The provider's own words about its failure, for operators only (P10)."""
        self._routes = routes
        self._request = request
        self._retry = retry
        self._deadlines = deadlines
        self._stream: ProviderStream | None = None
        self._opening: asyncio.Timeout | None = None
        self._stop: CancelledBy | RunError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._fraction = fraction
        self._on_stored = on_stored
        self._attempts: Attempts | None = None
        self._progress = _progress(self._loop.time(), earlier)
        self._paused_at_s: float | None = None
        """Since when no pull waits; None while one does."""
        if earlier is None:
            self.state.apply(started)

    async def next(self) -> Sequence[Event]:
        """Return the next events; the last batch ends with `RunEnded`, then come empty ones."""
        if self.state.ended is not None:
            return ()
        self._excuse_pause()
        self._paused_at_s = None
        try:
            received, end = await self._receive()
        except ProviderError as error:
            received, end = self._broke_off(error)
        except LogError:
            raise
        except Exception:
            logger.exception("a provider call failed through a fault of ours")
            received, end = [], StreamEnd(INTERNAL)
        finally:
            self._paused_at_s = self._loop.time()
        events = coalesce(received)
        for event in events:
            self.state.apply(event)
        self._note_progress(events)
        return events if end is None else self._ended(events, end)

    def cancel(self, by: CancelledBy) -> None:
        """Stop the provider; `next` then returns `RunEnded`. The first stop counts."""
        self._interrupt(by)

    async def release(self) -> None:
        """Give the connection of a whole answer the moment it needs to be used again.

        The end of the HTTP body comes right after the end of the answer, but maybe
        not in the same read; a connection that is closed before it costs the next
        answer a new one, with a new TLS handshake.
        """
        ended = self.state.ended
        if self._stream is not None and ended is not None and ended.outcome == "completed":
            try:
                async with asyncio.timeout(RELEASE_TIMEOUT_S):
                    while await self._stream.read():
                        pass
            except (ProviderError, TimeoutError):
                pass  # then it is closed, and the next answer opens another
        self.close()

    def close(self) -> None:
        """Close the provider's connection. Safe to repeat."""
        self._stop_watching()
        if self._stream is not None:
            self._stream.close()

    def detach(self) -> None:
        """Close the connection because another process writes the run now. Safe to repeat.

        An answer that the provider stores goes on there: the other one reads it.
        """
        self._stop_watching()
        if self._stream is not None:
            detach(self._stream)
        elif self._attempts is not None:
            self._attempts.is_detached = True

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _receive(self) -> tuple[list[Event], _End | None]:
        """Return what one read brings, and how the stream ended if it did."""
        stream = self._stream
        if stream is None:
            return await self._open()
        translator = stream.translator
        while self._stop is None:
            chunk = await stream.read()
            if chunk:
                events = translator.feed(chunk)
            elif self._stopped() is None:
                events = translator.close()
            else:
                break
            if events or translator.end is not None:
                return events, translator.end
        return self._close_early()

    async def _open(self) -> tuple[list[Event], _End | None]:
        """Make attempts until one speaks, and return what it says after the attempts' record."""
        self._watch_deadlines()
        if self._stopped() is not None:
            return self._close_early()
        attempts = self._attempts = Attempts(
            self._routes,
            self._request,
            policy=self._retry,
            give_up_at_s=next_deadline(self._deadlines, self._progress).at_s,
            fraction=self._fraction,
            on_open=self._note_stored,
        )
        try:
            async with asyncio.timeout(None) as self._opening:
                spoken = await attempts.speak()
        except TimeoutError:
            if self._stopped() is None:
                raise
            return [*attempts.record()], self._stopped()
        except ProviderError as error:
            events, end = self._broke_off(error)
            return [*attempts.record(), *attempts.unspoken, *events], end
        finally:
            self._opening = None
        self._stream = spoken.stream
        await self._note_stored(spoken.route, spoken.stream)
        return [*attempts.record(), *spoken.events], spoken.stream.translator.end

    async def _note_stored(self, route: Route, stream: ProviderStream) -> None:
        if self._on_stored is None or not isinstance(stream, StoredStream):
            return
        stored = AnswerStored(
            provider=route.provider.name, model=route.model, response_id=stream.response_id
        )
        if stored.response_id and stored != self.state.stored:
            await self._on_stored(stored)
            self.state.apply(stored)

    def _broke_off(self, error: ProviderError) -> tuple[list[Event], _End]:
        """Decide what a broken connection means: the end may have come before it broke."""
        if self._stopped() is not None:
            return self._close_early()
        reason = RunError(code=error.code, message=str(error), is_retryable=error.is_retryable)
        if self._stream is None:
            return [], StreamEnd(reason, error.detail)
        translator = self._stream.translator
        events = translator.close()
        is_whole = translator.end == StreamEnd()
        return events, StreamEnd() if is_whole else StreamEnd(reason, error.detail)

    def _close_early(self) -> tuple[list[Event], _End]:
        """End because we stopped it, unless the answer was whole and only its end was missing."""
        stop = self._stopped()
        assert stop is not None
        if self._stream is None:
            return [], stop
        translator = self._stream.translator
        events = translator.close()
        return events, StreamEnd() if translator.end == StreamEnd() else stop

    def _stopped(self) -> _End | None:
        """Return how the step ends because it was interrupted; None while it was not."""
        return StreamEnd(self._stop) if isinstance(self._stop, RunError) else self._stop

    def _ended(self, events: Sequence[Event], end: _End) -> Sequence[Event]:
        ended = self._end(end)
        self.state.apply(ended)
        if ended.outcome == "completed":
            self._stop_watching()
        else:
            self.close()
        return [*events, ended]

    def _end(self, end: _End) -> RunEnded:
        state, choice = self.state, self.state.choices.get(0)
        error: RunError | None = None
        cancelled_by: CancelledBy | None = None
        match end:
            case StreamEnd():
                error = end.error
                self.detail = end.detail
            case "user" | "abandoned" | "shutdown":
                cancelled_by = end
            case _:
                assert_never(end)
        return RunEnded(
            outcome="failed" if error else "cancelled" if cancelled_by else "completed",
            length=state.length,
            timings=self._timings(),
            finish_reason=choice.finish_reason if choice else None,
            raw_finish_reason=choice.raw_finish_reason if choice else None,
            usage=state.usage,
            error=error,
            cancelled_by=cancelled_by,
        )

    def _timings(self) -> Timings:
        progress = self._progress
        first_s = (
            None if progress.first_at_s is None else progress.first_at_s - progress.started_at_s
        )
        return Timings(
            first_progress_s=None if first_s is None else round(first_s, 6),
            duration_s=round(self._loop.time() - progress.started_at_s, 6),
        )

    def _note_progress(self, events: Sequence[Event]) -> None:
        progress = self._progress
        for event in events:
            if type(event) in _PROGRESS:
                progress.latest_at_s = self._loop.time()
                if progress.first_at_s is None:
                    progress.first_at_s = progress.latest_at_s
                    self._watch_deadlines()
            elif type(event) is ChoiceFinished and self._has_finished():
                progress.finished_at_s = self._loop.time()
                self._watch_deadlines()

    def _has_finished(self) -> bool:
        return all(choice.finish_reason for choice in self.state.choices.values())

    def _excuse_pause(self) -> None:
        """Move the deadlines back by the time since the last pull: it is the caller's."""
        if self._paused_at_s is not None:
            now_s = self._loop.time()
            self._progress.excuse(pause_s=now_s - self._paused_at_s)
            self._paused_at_s = now_s

    def _watch_deadlines(self) -> None:
        """Look at the clock when the next deadline can pass first.

        A delta only moves that deadline back, so it needs no new timer. Called
        again where the next deadline may come sooner: another limit counts now.
        """
        if self._timer is not None:
            self._timer.cancel()
        now_s = self._loop.time()
        self._excuse_pause()
        deadline = next_deadline(self._deadlines, self._progress)
        if now_s >= deadline.at_s:
            self._interrupt(deadline.error)
        else:
            self._timer = self._loop.call_at(deadline.at_s, self._watch_deadlines)

    def _interrupt(self, stop: CancelledBy | RunError) -> None:
        if self._stop is not None:
            return
        self._stop = stop
        if self._stream is not None:
            self._stream.close()
        elif self._opening is not None:
            self._opening.reschedule(self._loop.time())


def _progress(now_s: float, earlier: Earlier | None) -> Progress:
    if earlier is None:
        return Progress(now_s)
    progress = Progress(now_s - earlier.age_s)
    if earlier.first_progress_s is not None:
        progress.first_at_s = progress.started_at_s + earlier.first_progress_s
        progress.latest_at_s = now_s
    return progress


INTERNAL: Final = RunError(
    code="internal", message="Something went wrong on the server. Try again.", is_retryable=True
)
