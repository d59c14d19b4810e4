"""Which deployment to try next, and when: retries, failover and hedging, as a value.

Pure: times and chance are passed in. Knows nothing of what is tried; a route is
its index in the list of deployments.

The rules:

- A route that was not tried yet comes before one that failed, in the order given.
- A failed route comes back after its wait, unless what it said is final.
- When there is something else to try at once, nobody waits.
"""

from __future__ import annotations

from msgspec import Struct

from tickertape.core.errors import ConfigurationError
from tickertape.core.retry import Backoff


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How hard a run tries before its first event. After it, nothing is tried again."""

    backoff: Backoff = Backoff(first_s=0.5, longest_s=8.0, max_retries=2)
    """For each deployment by itself."""
    hedge_after_s: float | None = None
    """Start the next deployment beside one that has said nothing for so long; None: never."""

    def __post_init__(self) -> None:
        if self.hedge_after_s is not None and not self.hedge_after_s >= 0:
            raise ConfigurationError(
                f"hedge_after_s must be None or at least 0, not {self.hedge_after_s!r}"
            )


NO_RETRIES = RetryPolicy(backoff=Backoff(max_retries=0))


class NextAttempt(Struct, frozen=True):
    """What to try, and how long to wait before it."""

    route: int
    wait_s: float


class _Route:
    __slots__ = ("failures", "is_busy", "ready_at_s")

    def __init__(self) -> None:
        self.failures = 0
        self.is_busy = False
        # None: given up.
        self.ready_at_s: float | None = float("-inf")


class AttemptPlan:
    """The state of one run's attempts."""

    def __init__(self, routes: int, *, backoff: Backoff) -> None:
        self._backoff = backoff
        self._routes = [_Route() for _ in range(routes)]

    def next(self, *, now_s: float) -> NextAttempt | None:
        """Return what to try next; None when there is nothing left that is not tried already."""
        ready = [
            (max(route.ready_at_s, now_s), index)
            for index, route in enumerate(self._routes)
            if route.ready_at_s is not None and not route.is_busy
        ]
        if not ready:
            return None
        at_s, index = min(ready)
        untried = [each for each in ready if not self._routes[each[1]].failures]
        if untried:
            at_s, index = min(untried)
        return NextAttempt(index, at_s - now_s)

    def begin(self, route: int) -> None:
        """Note that the route is being tried."""
        self._routes[route].is_busy = True

    def fail(
        self,
        route: int,
        *,
        now_s: float,
        is_retryable: bool,
        asked_s: float | None,
        fraction: float,
    ) -> None:
        """Note that an attempt failed. `asked_s` is how long the provider wants us to wait."""
        tried = self._routes[route]
        tried.is_busy = False
        tried.failures += 1
        wait_s = None
        if is_retryable:
            wait_s = self._backoff.wait_s(tried.failures, fraction=fraction, asked_s=asked_s or 0.0)
        tried.ready_at_s = None if wait_s is None else now_s + wait_s

    def give_up(self) -> None:
        """Note that no other attempt can do better: what was said holds for every route."""
        for route in self._routes:
            route.ready_at_s = None
