"""gunicorn's threaded worker, which ends its runs in time when it is told to stop.

    gunicorn --worker-class tickertape.web.gunicorn.Worker --threads 100 app:app

The only file that imports gunicorn. A plain `gthread` worker waits for its open
streams up to `graceful_timeout`, and is then killed with them: their runs have no
end, and their readers see a broken connection. This one ends the runs before.
"""

from __future__ import annotations

from types import FrameType
from typing import Final

from gunicorn.workers.gthread import ThreadWorker

from tickertape.web.threaded import drain_runs

MARGIN_S: Final = 5.0
"""How long before `graceful_timeout` the runs are ended: their readers get the end, and a
kept-alive connection lingers for 2 s more (gunicorn, `STOP_KEEPALIVE_LINGER`)."""


class Worker(ThreadWorker):
    """`gthread`, and a drain for the blueprints of this process."""

    _is_draining = False

    def notify(self) -> None:
        """Tell the master that this worker lives: also while it stops, for whatever reason."""
        if not self.alive and not self._is_draining:
            self._is_draining = True
            drain_runs(max(0.0, self.cfg.graceful_timeout - MARGIN_S))
        super().notify()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at once (SIGINT, SIGQUIT): the interpreter waits for threads that have readers."""
        drain_runs(0)
        super().handle_quit(sig, frame)
