"""One process of a storm's, and what can be done to it: kill, stop, go on, look at it from outside.

Signals only what it started itself, by its own id.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

_PAGE_BYTES: Final = 4096


class Footprint(Struct, frozen=True):
    """What a process takes."""

    files: Counter[str]
    """Open file descriptors, by what they are."""
    threads: int
    resident_mib: float

    @property
    def file_descriptors(self) -> int:
        """How many there are of all kinds."""
        return self.files.total()

    def __str__(self) -> str:
        return f"{self.file_descriptors} files, {self.threads} threads, {self.resident_mib:.0f} MiB"


class Process:
    """A program that is started again and again, with the same arguments."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_file: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """What it prints is added to `log_file`."""
        self._command = command
        self._log_file = log_file
        self._environment = environment
        self._running: asyncio.subprocess.Process | None = None
        self.is_stopped = False

    async def start(self) -> None:
        """Start it; it may take a while until it answers."""
        with self._log_file.open("ab") as output:
            self._running = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._running is not None and self._running.returncode is None

    async def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone. Safe to repeat."""
        if self._running is not None and self.is_running:
            self._running.kill()
            await self._running.wait()
        self.is_stopped = False

    async def terminate(self, *, within_s: float) -> int:
        """Ask it to end, and return its exit code.

        Raises:
            TimeoutError: it did not do so in time, and was killed.
        """
        assert self._running is not None
        self.go_on()
        self._running.terminate()
        try:
            async with asyncio.timeout(within_s):
                return await self._running.wait()
        except TimeoutError:
            await self.kill()
            raise

    def stop(self) -> None:
        """Let it stand still, with its connections open."""
        self._signal(signal.SIGSTOP)
        self.is_stopped = True

    def go_on(self) -> None:
        """Let it go on after `stop`. Safe to repeat."""
        if self.is_stopped:
            self._signal(signal.SIGCONT)
            self.is_stopped = False

    def footprint(self) -> Footprint:
        """Return what it takes now. It must be running."""
        assert self._running is not None
        proc = Path("/proc") / str(self._running.pid)
        return Footprint(
            files=Counter(_kind(each) for each in (proc / "fd").iterdir()),
            threads=sum(1 for _ in (proc / "task").iterdir()),
            resident_mib=int((proc / "statm").read_text().split()[1]) * _PAGE_BYTES / 2**20,
        )

    def _signal(self, number: signal.Signals) -> None:
        if self._running is not None and self.is_running:
            self._running.send_signal(number)


def _kind(descriptor: Path) -> str:
    try:
        # socket:[123] is a socket, whichever.
        return str(descriptor.readlink()).partition(":")[0]
    except OSError:
        return "closed meanwhile"
