"""What `tickertape serve` can be told, and what of it can't be.

Values only: `serve` and its workers act on them.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ConfigurationError
from tickertape.web.limits import Limits
from tickertape.web.log_setting import SQLITE, check_log_setting, check_retention, is_shared

MAX_HEARTBEAT_S: Final = 30.0
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
        if not 1 <= self.workers <= MAX_WORKERS:
            raise ConfigurationError(
                f"workers must be from 1 to {MAX_WORKERS}, not {self.workers!r}"
            )
        if self.workers > 1 and not is_shared(self.log):
            raise ConfigurationError(
                f"{self.workers} workers can't share the log {self.log!r}, which belongs to one "
                "process: keep answers in Redis with --log redis://HOST:PORT, or use one worker"
            )
