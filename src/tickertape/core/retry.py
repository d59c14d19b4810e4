"""How long to wait before trying again, and when to stop trying, as a value.

Pure: chance is passed in, and whoever waits keeps the clock. Knows nothing of
what is tried.

Source: Marc Brooker, "Exponential Backoff And Jitter" (full jitter: of the ways
compared there, the one with the least work for the server that everyone waits for).
"""

from __future__ import annotations

from msgspec import Struct

from tickertape.core.errors import ConfigurationError


class Backoff(Struct, frozen=True, kw_only=True):
    """Waits that double, are cut at random, and end. Failures are counted from the last success."""

    first_s: float = 0.5
    """The most that the first wait can be."""
    longest_s: float = 10.0
    """The most that any wait can be, unless the server asks for more."""
    max_retries: int = 10
    """About half a minute with the other defaults: a server restarts in less."""
    longest_asked_s: float = 60.0
    """A server that asks for a longer wait than this is given up."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not value >= 0:
                raise ConfigurationError(f"{name} must not be below 0, but is {value!r}")

    def wait_s(self, failures: int, *, fraction: float, asked_s: float = 0.0) -> float | None:
        """Return how long to wait after this many failures in a row; None means give up.

        `fraction` is a random number from 0 to 1; `asked_s` is the least that
        the server asked for (`Retry-After`).
        """
        if failures > self.max_retries or asked_s > self.longest_asked_s:
            return None
        # Without the limit, 2.0 ** failures raises once somebody allows a thousand retries.
        ceiling_s = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 32))
        return max(asked_s, fraction * ceiling_s)
