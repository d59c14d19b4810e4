"""One window: a plan played through a server, measured, and its text compared."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.findings import check_text
from benchmarks.rig import http1, places
from benchmarks.rig.plan import Plan, Script
from benchmarks.rig.processes import Server, cpu_s, usage
from benchmarks.rig.readers import Reader
from benchmarks.rig.rig import Rig, rig
from benchmarks.servers import nginx

_SETTLE_S: Final = 0.3
_PATIENCE_S: Final = 30.0
_MAX_LAG_S: Final = 0.25
_MAX_RIG_SHARE: Final = 0.8
MAX_WAITED_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one window showed. Shares are of one core, counts for each token."""

    tokens: int
    tokens_per_s: float
    cpu_us: float
    database_us: float
    """The CPU of the database that the server's log is in."""
    cpu_share: float
    waited_share: float
    """How long the server had to wait for its core, since others used it."""
    rig_share: float
    reads: float
    writes: float
    grown_kib: float
    """The server's memory at the window's end, over what it was before the streams."""
    lag_s: float
    """From the provider's last write to the last arrival."""
    lateness_s: float
    """How far behind the plan the provider's last write was."""
    delays_s: Sequence[float]


class Bench:
    """The rig and the servers under test, all running."""

    def __init__(self, rig: Rig, servers: Sequence[Server]) -> None:
        self._poller = rig.poller
        self._provider = rig.provider
        self.servers = servers

    @property
    def direct(self) -> Server:
        """Return the simulator as if it were a server; what it uses is the rig's own."""
        return Server("direct", os.getpid(), self._provider.port, "/v1/chat/completions")

    def measure(self, server: Server, plan: Plan) -> Measured:
        """Play the plan through the server.

        Raises:
            TextDiffers: a stream's text is not what was sent.
            TimeoutError: a stream did not open, or did not arrive.
        """
        scripts = [Script(plan, stream) for stream in range(plan.streams)]
        at_rest = usage(server.pid)
        readers = self._open(server, plan)
        database_s = cpu_s(server.database_pid)
        before, idle_s, started_s = usage(server.pid), self._poller.idle_s, time.monotonic()
        gc.disable()
        try:
            sent_s, lateness_s = self._play(plan, scripts, readers)
        finally:
            gc.enable()
        after, idle_s, ended_s = usage(server.pid), self._poller.idle_s - idle_s, time.monotonic()
        database_s = cpu_s(server.database_pid) - database_s
        self._close(readers)
        for script, reader in zip(scripts, readers, strict=True):
            check_text(script.text, reader.text, who=server.name)
        tokens = sum(script.writes for script in scripts) * plan.burst
        return Measured(
            tokens=tokens,
            tokens_per_s=tokens / (ended_s - started_s),
            database_us=database_s * 1e6 / tokens,
            cpu_us=(after.cpu_s - before.cpu_s) * 1e6 / tokens,
            cpu_share=(after.cpu_s - before.cpu_s) / (ended_s - started_s),
            waited_share=(after.waited_s - before.waited_s) / (ended_s - started_s),
            rig_share=1 - idle_s / (ended_s - started_s),
            reads=(after.reads - before.reads) / tokens,
            writes=(after.writes - before.writes) / tokens,
            grown_kib=after.resident_kib - at_rest.resident_kib,
            lag_s=ended_s - sent_s,
            lateness_s=lateness_s,
            delays_s=[delay_s for reader in readers for delay_s in reader.delays_s],
        )

    def _open(self, server: Server, plan: Plan) -> list[Reader]:
        readers = [
            Reader(
                stream,
                port=server.port,
                request=http1.request(server.path, stream=stream),
                poller=self._poller,
            )
            for stream in range(plan.streams)
        ]

        def are_missing() -> bool:
            """Every stream to reach the provider."""
            return len(self._provider.streams) < plan.streams

        self._poller.poll_while(are_missing, timeout_s=_PATIENCE_S)
        self._poller.poll_until(time.monotonic() + _SETTLE_S)
        return readers

    def _play(
        self, plan: Plan, scripts: Sequence[Script], readers: Sequence[Reader]
    ) -> tuple[float, float]:
        """Send everything and see it arrive; return when the last write was, and how late."""
        if plan.tokens_per_s is None:
            lateness_s = self._play_in_turn(plan, scripts, readers)
        else:
            lateness_s = self._play_at_pace(plan, scripts)
        sent_s, waiting = time.monotonic(), list(zip(scripts, readers, strict=True))

        def is_on_its_way() -> bool:
            """Everything sent to arrive."""
            while waiting and waiting[-1][0].writes == waiting[-1][1].marks:
                waiting.pop()
            return bool(waiting) and not waiting[-1][1].is_ended

        self._poller.poll_while(is_on_its_way, timeout_s=_PATIENCE_S)
        return sent_s, lateness_s

    def _play_at_pace(self, plan: Plan, scripts: Sequence[Script]) -> float:
        start_s = due_s = time.monotonic() + 0.01
        for turn in range(int(plan.duration_s / plan.step_s)):
            due_s = start_s + turn * plan.step_s
            stream = turn % plan.streams
            self._poller.poll_until(due_s)
            self._provider.write(stream, scripts[stream].next_write())
        return time.monotonic() - due_s

    def _play_in_turn(
        self, plan: Plan, scripts: Sequence[Script], readers: Sequence[Reader]
    ) -> float:
        end_s = time.monotonic() + plan.duration_s

        def write(stream: int) -> None:
            if time.monotonic() < end_s:
                self._provider.write(stream, scripts[stream].next_write())

        for stream, reader in enumerate(readers):
            reader.on_mark = write
            write(stream)
        self._poller.poll_until(end_s)
        return 0.0

    def _close(self, readers: Sequence[Reader]) -> None:
        self._provider.end_streams()

        def are_open() -> bool:
            """Every stream to end."""
            return not all(reader.is_ended for reader in readers)

        self._poller.poll_while(are_open, timeout_s=_PATIENCE_S)
        for reader in readers:
            reader.close()


def doubts(windows: Sequence[Measured], plan: Plan) -> list[str]:
    """Return what makes the figures of these windows doubtful: the worst of each kind."""
    told = []
    waited_share = max(one.waited_share for one in windows)
    if waited_share > MAX_WAITED_SHARE:
        told.append(f"others used its core, it waited for {waited_share:.0%} of the time")
    if plan.tokens_per_s is not None:
        lag_s, rig_share = max(one.lag_s for one in windows), max(one.rig_share for one in windows)
        if lag_s > _MAX_LAG_S:
            told.append(f"fell behind by {lag_s:.1f} s")
        if rig_share > _MAX_RIG_SHARE or max(one.lateness_s for one in windows) > _MAX_LAG_S:
            told.append(f"the rig was the bottleneck (busy {rig_share:.0%})")
    return told


@contextmanager
def bench(names: Sequence[str] = ("ours", "usual", "nginx")) -> Iterator[Bench]:
    """Start everything; nginx and Redis only where they are installed."""
    with ExitStack() as stack:
        desk = stack.enter_context(rig())
        servers = [
            stack.enter_context(desk.start(name))
            for name in places.available(names)
            if name != "nginx" or nginx.PROGRAM.exists()
        ]
        running = Bench(desk, servers)
        for server in servers:
            running.measure(server, Plan(streams=8, duration_s=0.5, tokens_per_s=50))
        yield running
