"""The display buffer: bursts of text in, an even flow for people who read out.

Knows text and time. Callers own the clock, the timer and the screen. The rules are
those of `conformance/smooth/README.md`, so that every language shows the same text at
the same moment:

- A grapheme cluster is never cut. The last one that came may still grow, so it waits
  until something follows it, until its time is up, or for the end.
- The first text is due at once, whole. So is what continues a cluster already shown.
- All other text is spread evenly over the time until more is expected: the longest
  pause between arrivals, forgotten slowly.
- Nothing waits for longer than `max_delay_s`, and nothing is put off once it has a
  time: more text can only make the flow faster, until the buffer is empty.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from tickertape.core.errors import ConfigurationError
from tickertape.core.graphemes import GraphemeSplitter

FRAME_S: Final = 1 / 60
"""How often most screens change; to wake more often shows nothing more."""

# An eighth of the time that passes: a pause of 200 ms is forgotten 1.6 s after it. A
# larger share would forget, within a burst, the pause before it; a smaller one would
# delay a quick stream for long after a single hiccup.
_FORGETTING: Final = 0.125


class DisplayBuffer:
    """What of one text to show now. One for each text that somebody reads.

    Times are seconds on one clock of the caller's, finite; a time before an earlier
    one counts as that one. Show what `pop` returns; after every `push` and `pop` ask
    `next_at_s` when to call `pop` again; at the end show what `finish` returns.
    """

    __slots__ = (
        "_arrived_at_s",
        "_base_s",
        "_first_at_s",
        "_frame_s",
        "_interval_s",
        "_max_window_s",
        "_now_s",
        "_open",
        "_open_at_s",
        "_ready",
        "_shown_at_s",
        "_splitter",
        "_taken",
        "_waiting",
        "_window_s",
    )

    def __init__(self, *, max_delay_s: float = 0.25, frame_s: float = FRAME_S) -> None:
        """Hold text back for at most `max_delay_s`; 0 shows everything at once.

        `next_at_s` asks for no two calls within `frame_s`. Both are finite seconds,
        0 or more.

        Raises:
            ConfigurationError: one of them is not.
        """
        for name, value in (("max_delay_s", max_delay_s), ("frame_s", frame_s)):
            if not 0 <= value < math.inf:
                raise ConfigurationError(f"{name} must be 0 seconds or more, not {value!r}")
        # A text's time may come right after a frame, and then it waits for the next one.
        self._frame_s = min(frame_s, max_delay_s)
        self._max_window_s = max_delay_s - self._frame_s
        self._now_s = -math.inf
        self._shown_at_s = -math.inf
        self._begin()

    def _begin(self) -> None:
        self._splitter = GraphemeSplitter()
        self._first_at_s: float | None = None
        self._arrived_at_s = 0.0
        self._window_s = 0.0
        # What to show at the next call; then whole clusters, of which number n is due
        # at base + (taken + n) × interval; then the last one while it may grow.
        self._ready: list[str] = []
        self._waiting: deque[str] = deque()
        self._open = ""
        self._open_at_s = 0.0
        self._base_s = -math.inf
        self._interval_s = 0.0
        self._taken = 0

    def push(self, text: str, *, now_s: float) -> None:
        """Take what has arrived; no text is no arrival."""
        if not text:
            return
        self._advance(now_s)
        grown, begun = self._splitter.feed(text)
        if self._first_at_s is None:
            self._first_at_s = self._arrived_at_s = self._now_s
        if self._now_s == self._first_at_s:
            self._ready.append(text)
            return
        self._note_arrival()
        if self._open:
            self._open += grown
        elif grown:  # the cluster it belongs to is on the screen
            self._ready.append(grown)
        if begun:
            self._close_last()
            self._plan(begun)

    def pop(self, *, now_s: float) -> str:
        """Return the text to show now, possibly none."""
        self._advance(now_s)
        if not self._ready:
            return ""
        text = "".join(self._ready)
        self._ready.clear()
        self._shown_at_s = self._now_s
        return text

    def next_at_s(self) -> float | None:
        """Return when to call `pop` again; None when nothing waits.

        At once, when that has passed. It holds until the next call of any method.
        """
        if self._ready:
            due_s = self._now_s
        elif self._waiting:
            due_s = self._due_s()
        elif self._open:
            due_s = self._open_at_s + self._max_window_s
        else:
            return None
        return max(due_s, self._shown_at_s + self._frame_s)

    def finish(self) -> str:
        """Return everything that is left. Another text may follow, as if in a new buffer."""
        text = "".join([*self._ready, *self._waiting, self._open])
        self._begin()
        return text

    def _due_s(self) -> float:
        return self._base_s + self._taken * self._interval_s

    def _advance(self, now_s: float) -> None:
        """Move time on, and make ready what is due."""
        self._now_s = max(self._now_s, now_s)
        self._take_due()
        is_up = self._now_s >= self._open_at_s + self._max_window_s
        if self._open and not self._waiting and is_up:
            self._ready.append(self._open)
            self._open = ""
            self._taken += 1

    def _take_due(self) -> None:
        while self._waiting and self._due_s() <= self._now_s:
            self._ready.append(self._waiting.popleft())
            self._taken += 1

    def _note_arrival(self) -> None:
        gap_s = self._now_s - self._arrived_at_s
        self._arrived_at_s = self._now_s
        pause_s = min(gap_s, self._max_window_s)
        self._window_s = max(pause_s, self._window_s - gap_s * _FORGETTING)

    def _close_last(self) -> None:
        """Let the last cluster go at its time, for something follows it."""
        if self._open:
            self._waiting.append(self._open)
            self._open = ""
            self._take_due()

    def _plan(self, begun: list[str]) -> None:
        """Spread what waits and what came evenly, from now to the window's end.

        The flow keeps its phase: what is left of the step under way, as a share of it,
        stays the same when the step becomes shorter or longer.
        """
        left_s = self._due_s() - self._now_s
        share = left_s / self._interval_s if left_s > 0 and self._interval_s > 0 else 0.0
        interval_s = self._window_s / (share + len(self._waiting) + len(begun))
        if self._waiting:  # nothing is put off
            interval_s = min(interval_s, self._interval_s)
        self._base_s = self._now_s + share * interval_s
        self._interval_s = interval_s
        self._taken = 0
        if self._splitter.may_grow:
            self._open = begun.pop()
            self._open_at_s = self._now_s
        self._waiting.extend(begun)
