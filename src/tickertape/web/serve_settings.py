"""What `tickertape serve` can be told, and what of it can't be.

Values only: `serve` and its workers act on them.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ConfigurationError
from tickertape.web.limits import Limits
from tickertape.web.log_setting import SQLITE, check_log_setting, check_retention, is_shared

MAX_HEARTBEAT_S: Final = 30.0
MIN_LEASE_TERM_S: Final = 1.0
MAX_LEASE_TERM_S: Final = 60.0
MAX_WORKERS: Final = 256


class ServeSettings(Struct, frozen=True, kw_only=True):
    """What `tickertape serve` can be told."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port."""
    workers: int = 1
    """Processes that serve the port together. More than one need a log that they can share."""
    drain_s: float = 20.0
    """How long running answers may go on after SIGTERM or Ctrl-C; a second one ends them."""
    heartbeat_s: float = 15.0
    """At most 30: readers take a longer silence for a broken connection."""
    max_runs: int = 1000
    """In each worker."""
    max_subscribers: int = 10_000
    """In each worker."""
    lease_term_s: float = 5.0
    """From 1 to 60: a process that is silent for so long counts as dead, and another one ends
    its runs."""
    abandon_after_s: float | None = None
    """How long a run may go on that nobody reads, before it is cancelled; None: to its end."""
    log: str = SQLITE
    """`memory`, `sqlite` (a file in the platform's state directory), `sqlite:PATH` or `redis://…`.
    """
    retention_s: float | None = None
    """How long a run is kept after its end; None is the log's own default."""
    limits: Limits = Limits()
    deadlines: Deadlines = Deadlines()
    retry: RetryPolicy = RetryPolicy()

    def __post_init__(self) -> None:
        if not 0 < self.heartbeat_s <= MAX_HEARTBEAT_S:
            raise ConfigurationError(
                f"heartbeat_s must be more than 0 and at most {MAX_HEARTBEAT_S:g}, "
                f"not {self.heartbeat_s!r}"
            )
        check_log_setting(self.log)
        check_retention(self.retention_s)
        if not MIN_LEASE_TERM_S <= self.lease_term_s <= MAX_LEASE_TERM_S:
            raise ConfigurationError(
                f"lease_term_s must be from {MIN_LEASE_TERM_S:g} to {MAX_LEASE_TERM_S:g} seconds, "
                f"not {self.lease_term_s!r}: with less, a short pause loses every run of a "
                "process; with more, readers of a dead process wait longer than they should"
            )
        if self.abandon_after_s is not None and not (
            self.abandon_after_s > 0 and math.isfinite(self.abandon_after_s)
        ):
            raise ConfigurationError(
                f"abandon_after_s must be more than 0 seconds, not {self.abandon_after_s!r}; "
                "leave it out to let every run go on to its end"
            )
        for name in ("max_runs", "max_subscribers"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        if not (self.drain_s >= 0 and math.isfinite(self.drain_s)):
            raise ConfigurationError(f"drain_s must be 0 seconds or more, not {self.drain_s!r}")
        if not 1 <= self.workers <= MAX_WORKERS:
            raise ConfigurationError(
                f"workers must be from 1 to {MAX_WORKERS}, not {self.workers!r}"
            )
        if self.workers > 1 and not is_shared(self.log):
            raise ConfigurationError(
                f"{self.workers} workers can't share the log {self.log!r}, which belongs to one "
                "process: keep answers in Redis with --log redis://HOST:PORT, or use one worker"
            )
