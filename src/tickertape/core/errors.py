"""Every error that Tickertape raises.

The branches follow what the catcher does next. Knows no transport: third-party
exceptions are translated once, at the file that imports the third party.

TickertapeError
├── ConfigurationError      nothing to connect to, or a wrong setting: fix it, start again
│   └── MissingExtra        .extra: install it
├── InvalidRequest          .param: the caller's input is wrong (HTTP 400)
│   ├── RequestTooLarge     .limit: send less (413)
│   └── IdempotencyConflict one key, two different requests (409)
├── WorkersFailed           a server's processes die as soon as they start, or did not stop
├── Busy                    .retry_after_s: try again later (503)
│   └── Draining            this process takes no more runs
├── ProtocolError           the peer broke the format: drop the connection
│   └── EventTooLarge       .limit_bytes
├── ProviderError           .code .status .retry_after_s .is_retryable .detail
├── RunFailed               .error .partial_text: the run ended, and not with success
├── RunCancelled            .cancelled_by .partial_text: somebody stopped it
├── ConnectionLost          .run_id .cursor .partial_text: a reader gave up; the run goes on
└── LogError
    ├── UnknownRun          no such run, or not yours (404)
    ├── RunTrimmed          the run was there, and is no longer kept (410)
    ├── CursorBeyondEnd     .end_offset: the reader claims what was never written (400)
    ├── LogClosed           the run has ended: stop writing
    ├── StaleEpoch          .held .current: another writer took over: stop, do not retry
    ├── LeaseHeld           the run's writer is alive: leave the run to it
    ├── RecordsLost         .partial_text: the log lost acknowledged records; read anew (409)
    ├── LogUnavailable      it can't be read or written now: nothing was stored; try later (503)
    └── IllegalEvent        the event may not follow what is in the log
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickertape.core.cursor import Cursor
    from tickertape.core.events import CancelledBy, ErrorCode, RunError


class TickertapeError(Exception):
    """The root of every error that Tickertape raises."""


class ConfigurationError(TickertapeError):
    """A setting is missing or wrong; the message says which, and the way out."""


class MissingExtra(ConfigurationError):
    """An optional part is not installed."""

    def __init__(self, extra: str, *, needed_for: str) -> None:
        self.extra = extra
        super().__init__(f'{needed_for} needs an extra: pip install "tickertape[{extra}]"')


class WorkersFailed(TickertapeError):
    """The workers of a server can't be kept running, or did not stop when told."""


class InvalidRequest(TickertapeError):
    """The caller's input is wrong; `param` names the field, when there is one."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


class RequestTooLarge(InvalidRequest):
    """The input is over a limit of this server."""

    def __init__(self, message: str, *, limit: int, param: str | None = None) -> None:
        self.limit = limit
        super().__init__(message, param=param)


class IdempotencyConflict(InvalidRequest):
    """The idempotency key belongs to a run that was started with another request."""


class Busy(TickertapeError):
    """The server has no room for another run now."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Draining(Busy):
    """The server is shutting down and takes no more runs."""


class ProtocolError(TickertapeError):
    """The peer broke the wire format."""


class EventTooLarge(ProtocolError):
    """A server-sent event grew past the limit before it was complete."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"a server-sent event is larger than {limit_bytes} bytes; "
            "raise max_event_bytes if the peer is trusted"
        )


class ProviderError(TickertapeError):
    """A provider could not be reached, refused, or broke off.

    `str(error)` is safe to show to a reader. `detail` is the provider's own
    words, for operators only: it may hold keys, prompts and names (P10).
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        detail: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        is_retryable: bool = False,
    ) -> None:
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_retryable = is_retryable
        super().__init__(message)


class RunFailed(TickertapeError):
    """A run ended `failed`. What had arrived by then is in `partial_text`."""

    def __init__(self, error: RunError, *, partial_text: str = "", detail: str = "") -> None:
        self.error = error
        self.partial_text = partial_text
        super().__init__(f"{error.code}: {error.message}" + (f" ({detail})" if detail else ""))


class RunCancelled(TickertapeError):
    """A run was cancelled. What had arrived by then is in `partial_text`."""

    def __init__(self, cancelled_by: CancelledBy, *, partial_text: str = "") -> None:
        self.cancelled_by = cancelled_by
        self.partial_text = partial_text
        super().__init__(f"the run was cancelled by {cancelled_by}")


class ConnectionLost(TickertapeError):
    """A reader lost its server and gave up; the run itself may go on there.

    Tail the run `run_id` after `cursor` to read the rest. `run_id` is None where
    not even the answer to the start came.
    """

    def __init__(
        self, message: str, *, run_id: str | None, cursor: Cursor, partial_text: str = ""
    ) -> None:
        self.run_id = run_id
        self.cursor = cursor
        self.partial_text = partial_text
        super().__init__(message)


class LogError(TickertapeError):
    """The log refused, or has no such thing."""


class UnknownRun(LogError):
    """No run has this id, or it belongs to somebody else (readers can't tell which)."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"there is no run {run_id!r}")


class RunTrimmed(LogError):
    """The run ended long ago and its records are no longer kept."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"run {run_id!r} is no longer kept")


class CursorBeyondEnd(LogError):
    """A reader wants to go on after an offset that was never written."""

    def __init__(self, after: int, *, end_offset: int) -> None:
        self.after = after
        self.end_offset = end_offset
        super().__init__(
            f"cursor {after} is beyond the end of the run (its end offset is {end_offset}); "
            "read again from the beginning"
        )


class LogClosed(LogError):
    """The run has ended; nothing can be appended."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"run {run_id!r} has ended")


class StaleEpoch(LogError):
    """Another writer holds a newer lease on the run. Stop; do not retry."""

    def __init__(self, *, held: int, current: int) -> None:
        self.held = held
        self.current = current
        super().__init__(f"epoch {held} is fenced: the run's lease has epoch {current}")


class LeaseHeld(LogError):
    """The run can't be taken over: its holder's lease has not run out."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"run {run_id!r} has a writer whose lease has not run out")


class RecordsLost(LogError):
    """The log no longer has records that it had acknowledged.

    A writer ends the run. A reader holds text that is no longer there (`partial_text`),
    and that other text may have replaced.
    """

    def __init__(self, run_id: str, *, partial_text: str = "") -> None:
        self.run_id = run_id
        self.partial_text = partial_text
        super().__init__(
            f"the log lost records of run {run_id!r} that it had stored; "
            "read the run again from the beginning"
        )


class LogUnavailable(LogError):
    """The log can't be read or written now. What was asked for did not happen."""


class IllegalEvent(LogError):
    """The event may not follow what is already in the log."""
