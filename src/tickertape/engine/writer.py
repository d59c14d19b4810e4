"""One run being written: a step's batches into the log, until it has ended.

One append is in flight at a time. What the provider sends meanwhile waits in the
connection's buffer and comes as one larger batch: no timer, no queue.
"""

from __future__ import annotations

import logging

from tickertape.core.errors import LogClosed, StaleEpoch
from tickertape.engine.step import Step
from tickertape.logs.base import EventLog

logger = logging.getLogger("tickertape.engine")


async def write_run(log: EventLog, step: Step, *, run_id: str, epoch: int) -> None:
    """Append everything that the step returns.

    Closes the provider's connection in every case. A run that another writer
    has taken over, or ended, is left to that one.
    """
    try:
        while events := await step.next():
            await log.append(run_id, events, epoch=epoch)
        # After the end is in the log, so that no reader waits for this.
        await step.release()
    except (StaleEpoch, LogClosed) as error:
        logger.warning("run %s: stopped writing: %s", run_id, error)
    finally:
        step.close()
    ended = step.state.ended
    if ended is not None and ended.error is not None:
        logger.warning(
            "run %s failed: %s %s %s", run_id, ended.error.code, ended.error.message, step.detail
        )
