"""A log that loses what it had acknowledged, as a database that fails over to an old copy."""

from __future__ import annotations

from tickertape.core.events import Event
from tickertape.logs.memory import MemoryLog


class LosingLog(MemoryLog):
    """A `MemoryLog` that loses records when told to."""

    def lose(self, run_id: str, *, end_offset: int) -> None:
        """Forget the run's records from this offset on, its end too. Wakes nobody."""
        run = self._runs[run_id]
        del run.records[end_offset:]
        if run.closed_at is not None:
            run.closed_at = None
            del self._closed[run_id]
            self._open[run_id] = run

    async def replace(self, run_id: str, events: list[Event]) -> int:
        """Append as one who has taken the run over, under a new epoch; return that."""
        run = self._runs[run_id]
        run.epoch += 1
        await self.append(run_id, events, epoch=run.epoch)
        return run.epoch
