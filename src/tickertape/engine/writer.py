"""One run being written: a step's batches into the log, until it has ended.

One append is in flight at a time. What the provider sends meanwhile waits in the
connection's buffer and comes as one larger batch: no timer, no queue.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from tickertape.core.errors import LogClosed, LogUnavailable, StaleEpoch
from tickertape.core.events import RunEnded, RunError
from tickertape.engine.step import Step
from tickertape.logs.base import EventLog

logger = logging.getLogger("tickertape.engine")

NOT_STORED: Final = RunError(
    code="internal",
    message="The rest of this answer could not be stored. Try again.",
    is_retryable=True,
)
END_AGAIN_AFTER_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""When the end of a run that the log refused is tried again: it counts as running until then."""


async def write_run(log: EventLog, step: Step, *, run_id: str, epoch: int) -> None:
    """Append everything that the step returns.

    Closes the provider's connection in every case. A run that another writer
    has taken over, or ended, is left to that one. A run whose log can't be written
    ends `failed` as soon as it can be, with the length of what was stored.

    Raises:
        LogUnavailable: it could not be written for long; the run is left without an end.
    """
    stored_length = 0
    try:
        while events := await step.next():
            await log.append(run_id, events, epoch=epoch)
            stored_length = step.state.length
        # After the end is in the log, so that no reader waits for this.
        await step.release()
    except (StaleEpoch, LogClosed) as error:
        logger.warning("run %s: stopped writing: %s", run_id, error)
    except LogUnavailable as error:
        logger.warning("run %s: could not be stored: %s", run_id, error)
        await _append_end(log, await _end_of(step, stored_length), run_id=run_id, epoch=epoch)
    finally:
        step.close()
    ended = step.state.ended
    if ended is not None and ended.error is not None:
        logger.warning(
            "run %s failed: %s %s %s", run_id, ended.error.code, ended.error.message, step.detail
        )


async def _end_of(step: Step, stored_length: int) -> RunEnded:
    """Stop the provider, and return how a run ends of which only so much text was stored."""
    step.cancel("shutdown")
    while step.state.ended is None:
        await step.next()
    return msgspec.structs.replace(
        step.state.ended,
        outcome="failed",
        length=stored_length,
        error=NOT_STORED,
        cancelled_by=None,
    )


async def _append_end(log: EventLog, ended: RunEnded, *, run_id: str, epoch: int) -> None:
    for wait_s in END_AGAIN_AFTER_S:
        await asyncio.sleep(wait_s)
        try:
            await log.append(run_id, [ended], epoch=epoch)
        except LogUnavailable:
            if wait_s == END_AGAIN_AFTER_S[-1]:
                raise
        except (StaleEpoch, LogClosed):
            return
        else:
            return
