"""Where a schedule's runs are kept: the log in memory, or the one in (a model of) Redis.

What `world` asks of either, and what `checks` may know of it without the code that is
tested in between.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Protocol
from unittest.mock import patch

from tests.simulation.log_link import Cut, Journal, LogLink
from tests.simulation.loop import Owner
from tests.simulation.network import Network
from tests.simulation.redis_model import RedisModel
from tests.simulation.redis_port import RedisServer, SimulatedPort
from tests.simulation.trace import Trace
from tickertape.core.record import Record
from tickertape.logs.base import EventLog
from tickertape.logs.memory import MemoryLog
from tickertape.logs.redis import RedisLog
from tickertape.logs.redis.entries import unpack_entries

RETRY_FOR_S = 5.0
_PREFIX = "t:"


class LogConnection(Protocol):
    """What can be cut between a process and its log."""

    def cut_off(self, how: Cut) -> None:
        """Lose every call from now on."""

    def mend(self) -> None:
        """Let calls through again."""


class Store(Protocol):
    """A log, seen from outside."""

    journal: Journal

    def open_log(self, owner: Owner, now: Callable[[], float]) -> tuple[EventLog, LogConnection]:
        """Return a process's own client of the log."""

    def records(self) -> dict[str, list[Record]]:
        """Return all runs, as they stand."""

    def end_offset(self, run_id: str) -> int:
        """Return a run's end offset; 0 if there is none."""

    def has_open_runs(self) -> bool:
        """Tell whether a run has not ended."""


class MemoryStore:
    """The log in memory, shared by all processes through their links."""

    def __init__(self, log: MemoryLog, network: Network, trace: Trace, link: type[LogLink]) -> None:
        self.journal = Journal()
        self._log = log
        self._network = network
        self._trace = trace
        self._link = link

    def open_log(self, owner: Owner, now: Callable[[], float]) -> tuple[EventLog, LogConnection]:
        """See `Store.open_log`; this log has a clock of its own."""
        link = self._link(self._log, owner, self._network, self._trace, self.journal)
        return link, link

    def records(self) -> dict[str, list[Record]]:
        """See `Store.records`."""
        return {run_id: list(run.records) for run_id, run in self._log._runs.items()}

    def end_offset(self, run_id: str) -> int:
        """See `Store.end_offset`."""
        run = self._log._runs.get(run_id)
        return 0 if run is None else len(run.records)

    def has_open_runs(self) -> bool:
        """See `Store.has_open_runs`."""
        return bool(self._log._open)


class RedisStore:
    """The log in Redis: the real one in each process, over a model of Redis."""

    def __init__(self, now: Callable[[], float], network: Network, trace: Trace) -> None:
        self.journal = Journal()
        self._model = RedisModel(lambda: int(now() * 1000))
        self.server = RedisServer(self._model, self.journal)
        self._network = network
        self._trace = trace

    def open_log(self, owner: Owner, now: Callable[[], float]) -> tuple[EventLog, LogConnection]:
        """See `Store.open_log`; records bear the process's time, leases are on Redis's."""
        port = SimulatedPort(self.server, owner, self._network, self._trace)
        # Not `now=`, which would count for the leases, too.
        with patch("tickertape.logs.redis.log.time", SimpleNamespace(time=now)):
            log = RedisLog(
                "",
                prefix=_PREFIX,
                retry_for_s=RETRY_FOR_S,
                random=self._network.random.random,
                name=owner.name,
                port=port,
            )
        return log, port

    def records(self) -> dict[str, list[Record]]:
        """See `Store.records`."""
        data = self._model.data
        runs: dict[str, list[Record]] = {}
        for run_id, key in self._runs():
            entries = data.entries(key.replace(b"run:", b"records:", 1), (0, 0), (2**64, 0))
            runs[run_id] = [record for some, _ in unpack_entries(entries) for record in some]
        return runs

    def end_offset(self, run_id: str) -> int:
        """See `Store.end_offset`."""
        (end,) = self._model.data.fields(
            b"%brun:{%b}" % (_PREFIX.encode(), run_id.encode()), b"end"
        )
        return int(end or 0)

    def has_open_runs(self) -> bool:
        """See `Store.has_open_runs`."""
        return any(self._model.data.fields(key, b"closed_at") == [None] for _, key in self._runs())

    def _runs(self) -> list[tuple[str, bytes]]:
        start = _PREFIX.encode() + b"run:{"
        return [
            (key[len(start) : -1].decode(), key)
            for key in self._model.data.names()
            if key.startswith(start)
        ]
