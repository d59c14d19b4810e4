"""A provider that plays a recording: the same bytes, cut in the same places, in the same time.

Asks nobody and opens no connection; whatever it is asked, it answers what was
recorded. The format is `recording_file`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tickertape.core.errors import ConfigurationError
from tickertape.core.request import Request
from tickertape.providers.base import Translator
from tickertape.providers.recording_file import Header, Recording, load_recording
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.choice_stream import EndPolicy
from tickertape.providers.translators.completions import CompletionsTranslator
from tickertape.providers.translators.responses import ResponsesTranslator

FULL_SPEED: Final = float("inf")
"""As fast as the answer is read."""


class ReplayProvider:
    """Answers every request with one recording."""

    def __init__(
        self,
        path: Path | str,
        *,
        speed: float = 1.0,
        name: str = "replay",
        make_translator: Callable[[], Translator] | None = None,
    ) -> None:
        """Load a recording. At `speed` 2 it takes half the time, at `FULL_SPEED` none.

        `make_translator` is for streams of a provider that is not one of ours.

        Raises:
            ConfigurationError: the file is not there or no recording (the message
                names file and line), nothing understands it, or a speed that is none.
        """
        self.name = name
        self.path = Path(path).expanduser().absolute()
        self.model = self.path.stem
        self.speed = require_speed(speed, named="speed")
        self.recording = load_recording(self.path)
        self._make_translator = make_translator or _maker_of(self.recording, self.path)

    def describe(self) -> str:
        """Return one line for the operator."""
        header = self.recording.header
        return (
            f"{self.name}: {self.model}, recorded from {header.provider}/{header.model} "
            f"at {header.recorded_at} ({self.path})"
        )

    async def open(self, request: Request) -> ReplayStream:  # noqa: ARG002  # it answers any
        """Return the recorded answer, once it is as late as its status was.

        Raises:
            ProviderError: the recorded provider refused; the error says the same.
        """
        player = _Player(self.speed)
        response, end = self.recording.header.response, self.recording.end
        if response is not None:
            await player.wait_until(response.t)
            return ReplayStream(self.recording, self._make_translator(), player)
        assert end is not None
        assert end.error is not None
        await player.wait_until(end.t)
        raise end.error.to_error()


class ReplayStream:
    """One recorded answer being played; see `providers.base.ProviderStream`."""

    def __init__(self, recording: Recording, translator: Translator, player: _Player) -> None:
        self.translator = translator
        self._recording = recording
        self._player = player
        self._next = 0
        self._is_closed = False

    async def read(self) -> bytes:
        """Return what the next recorded read brought, when it is time.

        After the last one comes `b""`: at once in a recording that has no end, and
        when we closed it, in one that ends so.

        Raises:
            ProviderError: the connection broke then; the error says the same.
        """
        reads, end = self._recording.reads, self._recording.end
        is_over = self._next >= len(reads)
        if not is_over:
            await self._player.wait_until(reads[self._next].t)
        elif end is not None:
            await self._player.wait_until(end.t)
        if self._is_closed:
            return b""
        if not is_over:
            return self._take()
        if end is not None and end.error is not None:
            raise end.error.to_error()
        return b""

    def close(self) -> None:
        """End the answer; a pending `read` returns `b""`. Safe to repeat."""
        self._is_closed = True
        self._player.stop()

    def _take(self) -> bytes:
        read = self._recording.reads[self._next]
        self._next += 1
        if read.is_resumed and isinstance(self.translator, ResponsesTranslator):
            self.translator.resume()
        return read.data


class _Player:
    """Waits for moments of a recording, counted from its making on the event loop's clock.

    Moments are absolute, so that a slow reader does not slow down what follows. One
    task waits at a time.
    """

    def __init__(self, speed: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun_s = self._loop.time()
        self._speed = speed
        self._waiter: asyncio.Future[None] | None = None
        self._is_stopped = False

    async def wait_until(self, t: float) -> None:
        """Return at the moment `t` of the recording, or when stopped; others run meanwhile."""
        due_s = self._begun_s + t / self._speed
        if self._is_stopped or due_s <= self._loop.time():
            await asyncio.sleep(0)
            return
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_at(due_s, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._is_stopped = True
        if self._waiter is not None:
            _wake(self._waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def require_speed(speed: float | str, *, named: str) -> float:
    """Return a speed; the text `inf` is `FULL_SPEED`.

    Raises:
        ConfigurationError: not a number, or not more than 0. The message calls it `named`.
    """
    try:
        number = float(speed)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise ConfigurationError(
            f"{named} must be a number above 0, or inf for as fast as possible, not {speed!r}"
        )
    return number


def _maker_of(recording: Recording, path: Path) -> Callable[[], Translator]:
    header = recording.header
    if header.api == "other" and header.response is not None:
        raise ConfigurationError(
            f"{path} was recorded from a provider that is not one of ours; "
            "give ReplayProvider the make_translator that understands it"
        )
    return lambda: _make_translator(header)


def _make_translator(header: Header) -> Translator:
    """Return the translator that the recorded stream had."""
    policy = EndPolicy(header.end_policy or EndPolicy.FINISH_REASON)
    match header.api:
        case "completions":
            return CompletionsTranslator(
                end_policy=policy, expected_choices=header.expected_choices
            )
        case "responses":
            return ResponsesTranslator()
        case _:
            return ChatCompletionsTranslator(
                end_policy=policy, expected_choices=header.expected_choices
            )
