"""The rig itself: its core, its poller, the provider simulator, and how servers start beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from benchmarks.rig.places import Place
from benchmarks.rig.poller import Poller
from benchmarks.rig.processes import Server, cores_awake, start, start_ours
from benchmarks.rig.provider import Provider


@dataclass(frozen=True, slots=True)
class Rig:
    """What a benchmark plays with. The servers' core is not the rig's."""

    poller: Poller
    provider: Provider
    core: int
    """The servers'."""

    def start(self, name: str) -> AbstractContextManager[Server]:
        """Run the server of that name, against the simulator."""
        return start(name, provider_port=self.provider.port, core=self.core)

    def start_ours(self, name: str, kept: Place) -> AbstractContextManager[Server]:
        """Run ours with its log in that place, which others may use at the same time."""
        return start_ours(name, kept, provider_port=self.provider.port, core=self.core)


@contextmanager
def rig() -> Iterator[Rig]:
    """Take the last core for the rig; the first one is for the servers."""
    available = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(available)})
    try:
        with cores_awake() as are_awake:
            if not are_awake:
                print("idle cores halt: paced figures hold the cost of waking", file=sys.stderr)
            poller = Poller()
            try:
                yield Rig(poller, Provider(poller), min(available))
            finally:
                poller.close_all()
    finally:
        os.sched_setaffinity(0, available)
