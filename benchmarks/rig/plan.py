"""What is sent in one measured window, and when."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

from benchmarks import azure_stream

MARK: Final = "~"
"""Ends the last token of each write, and occurs nowhere else: the rig counts these."""

_DISTINCT: Final = 64
"""How many writes of a stream are prepared; then the same ones come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One measured window: equal streams, all open before it begins."""

    streams: int
    duration_s: float
    tokens_per_s: float | None = None
    """In each stream. The streams are evenly staggered, so that no two write at once.

    None: each stream's next write follows the arrival of the one before, so that
    a server is as busy as it can be and yet never finds two writes in one read.
    """
    burst: int = 1
    """Tokens in one write."""
    is_stamped: bool = False
    """Each token's text is the time of its sending."""

    def shortened(self) -> Plan:
        """Return the plan with hardly any duration: enough to see that all works."""
        return replace(self, duration_s=0.4)

    @property
    def step_s(self) -> float:
        """Return the time from one write to the next, which is in another stream."""
        assert self.tokens_per_s is not None
        return self.burst / self.tokens_per_s / self.streams


class Script:
    """One stream's writes: its text, which is no other stream's, and the bytes, made ready."""

    def __init__(self, plan: Plan, stream: int) -> None:
        self._is_stamped = plan.is_stamped
        self._sent: list[str] = []
        words = azure_stream.tokens(_DISTINCT * plan.burst, seed=stream)
        bursts = [words[at : at + plan.burst] for at in range(0, len(words), plan.burst)]
        self._texts = ["".join(burst) + MARK for burst in bursts]
        self._writes = [_encode([*burst[:-1], burst[-1] + MARK]) for burst in bursts]

    def next_write(self) -> bytes:
        """Return the stream's next write, and count it as sent."""
        if self._is_stamped:
            self._sent.append(f"@{time.monotonic_ns() // 1000:016d}{MARK}")
            return _encode(self._sent[-1:])
        turn = len(self._sent) % _DISTINCT
        self._sent.append(self._texts[turn])
        return self._writes[turn]

    @property
    def writes(self) -> int:
        """Return how many writes have been sent."""
        return len(self._sent)

    @property
    def text(self) -> str:
        """Return all text that has been sent."""
        return "".join(self._sent)


def _encode(tokens: list[str]) -> bytes:
    return b"".join(map(azure_stream.token_chunk, tokens))
