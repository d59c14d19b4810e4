"""Virtual time for tests with real sockets, all of which belong to one event loop.

The clock jumps to the next timer when nothing is ready to run, as on a
`VirtualTimeLoop`; but first the kernel gets a moment to bring what was sent. Since
both ends of every connection live in this loop, nothing is under way by then.
"""

from __future__ import annotations

import asyncio
import selectors

from tickertape.testing.clock import Stuck

# Loopback brings bytes before `send` returns, nearly always. A jump that came too
# early would be short: with a server in the loop, its 0.1 s tick is the next timer.
_PATIENCE_S = 0.001
_STUCK_AFTER_S = 5.0


class _PatientSelector(selectors.DefaultSelector):
    loop: PatientLoop

    def select(self, timeout=None):
        if timeout is not None and timeout <= 0:
            return super().select(0)
        ready = super().select(_STUCK_AFTER_S if timeout is None else min(timeout, _PATIENCE_S))
        if not ready and timeout is None:
            raise Stuck("all tasks wait, and nothing is scheduled that could wake them")
        if not ready:
            self.loop.advance(timeout)
        return ready


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop that starts at 0 seconds, and jumps when its sockets are silent."""

    def __init__(self) -> None:
        self._now_s = 0.0
        selector = _PatientSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now_s

    def advance(self, by_s: float) -> None:
        """Move the clock forward."""
        self._now_s += by_s
