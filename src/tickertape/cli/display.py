"""Shows an answer to a person while it comes: evenly, however it arrives.

Owns the timer of each display buffer; what a screen is, it does not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from tickertape.client.text_stream import AsyncTextStream
from tickertape.core.events import ReasoningDelta, TextDelta
from tickertape.core.smooth import DisplayBuffer

FRAME_S: Final = 1 / 15
"""A screen is laid out anew for each frame: 30 ms for 8,000 characters of Markdown."""


class Screen(Protocol):
    """Where an answer is shown."""

    def think(self, text: str) -> None:
        """Show more of what the model thinks."""

    def write(self, text: str) -> None:
        """Show more of the answer."""


async def show_evenly(stream: AsyncTextStream, screen: Screen, *, frame_s: float = FRAME_S) -> None:
    """Read the stream to its end; show choice 0's thoughts and text on the way.

    At the end all of it is on the screen, at once. When the stream raises, what was
    not shown yet is not; the stream's `response` has it.

    Raises:
        TickertapeError: as the stream.
    """
    thoughts = EvenText(screen.think, frame_s=frame_s)
    answer = EvenText(screen.write, frame_s=frame_s)
    try:
        while True:
            thought, text = _take_batch(stream)
            thoughts.push(thought)
            if text:
                thoughts.finish()
            answer.push(text)
            if not await stream.fetch():
                break
        thoughts.finish()
        answer.finish()
    finally:
        thoughts.close()
        answer.close()


class EvenText:
    """One text, shown bit by bit: a display buffer, and one timer for when it is due."""

    def __init__(self, show: Callable[[str], None], *, frame_s: float) -> None:
        self._show = show
        self._buffer = DisplayBuffer(frame_s=frame_s)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def push(self, text: str) -> None:
        """Take what has arrived; it shows when it is due."""
        self._buffer.push(text, now_s=self._loop.time())
        self._set_timer()

    def finish(self) -> None:
        """Show everything that is left, now."""
        self.close()
        if text := self._buffer.finish():
            self._show(text)

    def close(self) -> None:
        """Show nothing more. Safe to repeat."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.close()
        due_s = self._buffer.next_at_s()
        if due_s is not None:
            self._timer = self._loop.call_at(due_s, self._show_due)

    def _show_due(self) -> None:
        if text := self._buffer.pop(now_s=self._loop.time()):
            self._show(text)
        self._set_timer()


def _take_batch(stream: AsyncTextStream) -> tuple[str, str]:
    """Return the thoughts and the text of everything that has arrived."""
    thoughts: list[str] = []
    texts: list[str] = []
    while (event := stream.take_event()) is not None:
        match event:
            case ReasoningDelta(text=text, choice=0):
                thoughts.append(text)
            case TextDelta(text=text, choice=0):
                texts.append(text)
            case _:
                pass
    return "".join(thoughts), "".join(texts)
