"""One run being written: a step's batches into the log, until it has ended.

One append is in flight at a time. What the provider sends meanwhile waits in the
connection's buffer and comes as one larger batch: no timer, no queue.
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from tickertape.core.errors import (
    LogClosed,
    LogError,
    LogUnavailable,
    RecordsLost,
    RunTrimmed,
    StaleEpoch,
    UnknownRun,
)
from tickertape.core.events import RunEnded, RunError
from tickertape.engine.step import Step
from tickertape.logs.base import EventLog

logger = logging.getLogger("tickertape.engine")

NOT_STORED: Final = RunError(
    code="internal",
    message="The rest of this answer could not be stored. Try again.",
    is_retryable=True,
)
RECORDS_LOST: Final = RunError(
    code="internal", message="A part of this answer was lost. Try again.", is_retryable=True
)


async def write_run(log: EventLog, step: Step, *, run_id: str, epoch: int) -> RunEnded | None:
    """Append everything that the step returns, and return None once its end is stored.

    Closes the provider's connection in every case. A run that another writer has
    taken over, or that is ended or gone, is left as it is. Where the log can't be
    written, or lost what was stored, the provider is stopped at once, and the end that the
    run should have is returned: whoever holds the run must store it, with the length
    of what the log has by then.
    """
    try:
        while events := await step.next():
            await log.append(run_id, events, epoch=epoch)
        # After the end is in the log, so that no reader waits for this.
        await step.release()
    except (StaleEpoch, LogClosed, UnknownRun, RunTrimmed) as error:
        logger.warning("run %s: stopped writing: %s", run_id, error)
        if isinstance(error, StaleEpoch) and await _is_open(log, run_id):
            step.detach()
        return None
    except RecordsLost as error:
        logger.warning("run %s: %s", run_id, error)
        return await _end_of(step, RECORDS_LOST)
    except LogUnavailable as error:
        logger.warning("run %s: could not be stored: %s", run_id, error)
        return await _end_of(step, NOT_STORED)
    finally:
        step.close()
    ended = step.state.ended
    if ended is not None and ended.error is not None:
        logger.warning(
            "run %s failed: %s %s %s", run_id, ended.error.code, ended.error.message, step.detail
        )
    return None


async def _is_open(log: EventLog, run_id: str) -> bool:
    """Tell whether the other writer may be going on with the answer."""
    try:
        return not (await log.head(run_id)).is_closed
    except (UnknownRun, RunTrimmed):
        return False
    except LogError:
        return True


async def _end_of(step: Step, why: RunError) -> RunEnded:
    """Stop the provider, and return how a run ends that was not stored whole."""
    step.cancel("shutdown")
    while step.state.ended is None:
        await step.next()
    return msgspec.structs.replace(step.state.ended, outcome="failed", error=why, cancelled_by=None)
