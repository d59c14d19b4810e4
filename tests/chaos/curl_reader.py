"""A reader made of `curl -N` and a loop: what anybody writes in an afternoon.

Reads the wire as PROTOCOL.md tells it, and nothing of ours.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from typing import Final

import msgspec

from tests.chaos.python_reader import request_for
from tests.chaos.reading import Reading
from tests.chaos.runs import PlannedRun

_RETRY_S: Final = 0.2
# Longer than a heartbeat is apart; a connection that is silent for longer is given up.
_SILENT_S: Final = 20
_REFUSED_FOR_GOOD: Final = (b"400", b"404", b"409", b"410")


def has_curl() -> bool:
    """Whether there is a curl."""
    return shutil.which("curl") is not None


async def post(
    url: str, run: PlannedRun, reading: Reading, *, knows_id: Callable[[str], None]
) -> None:
    """Post the run's start until its answer has arrived whole; read nothing."""
    body = msgspec.json.encode(request_for(run)).decode()
    options = ["--header", "Content-Type: application/json", "--header", "Prefer: respond-async"]
    options += ["--header", f"Idempotency-Key: {run.key}", "--data-binary", body]
    while True:
        reading.connections += 1
        printed, status = await _curl(f"{url}/chat/stream", *options)
        if status == b"202":
            try:
                reading.run_id = json.loads(printed)["run_id"]
            except ValueError:
                pass  # its answer was cut
            else:
                knows_id(reading.run_id)
                return
        if status in _REFUSED_FOR_GOOD:
            reading.trouble = f"status {status.decode()}: {printed.decode()}"
            return
        await asyncio.sleep(_RETRY_S)


async def tail(url: str, run_id: str, reading: Reading) -> None:
    """Read the run to its end, with one curl after the other."""
    reading.run_id = run_id
    while True:
        reading.connections += 1
        cursor = ["--header", f"Last-Event-ID: {reading.cursor}"] if reading.cursor else []
        printed, status = await _curl(f"{url}/chat/stream/{run_id}", *cursor)
        if status in _REFUSED_FOR_GOOD:
            reading.trouble = f"status {status.decode()}: {printed.decode()}"
            return
        # What follows the last blank line was cut.
        if status == b"200" and _apply(printed.split(b"\n\n")[:-1], reading):
            return
        if status == b"204":  # [DONE] was cut off, if the end has come
            if reading.ending == "open":
                reading.trouble = f"204 after {reading.cursor!r}, but no end was seen"
            return
        await asyncio.sleep(_RETRY_S)


def _apply(blocks: list[bytes], reading: Reading) -> bool:
    """Take the blocks in; tell whether the run has ended."""
    for block in blocks:
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if line[:1] != b":")
        if fields[b"data"] == b"[DONE]":
            return reading.ending != "open"
        payload = json.loads(fields[b"data"])
        reading.text += payload.get("content", "")
        reading.ending = payload.get("outcome", reading.ending)
        reading.cursor = fields[b"id"].decode()
    return False


async def _curl(url: str, *options: str) -> tuple[bytes, bytes]:
    """Return what it printed, and the status of the answer (000: there was none)."""
    process = await asyncio.create_subprocess_exec(
        "curl",
        *("--silent", "--no-buffer", "--noproxy", "*", "--write-out", "%{stderr}%{http_code}"),
        *("--connect-timeout", "5", "--speed-limit", "1", "--speed-time", str(_SILENT_S)),
        *options,
        url,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        return await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
