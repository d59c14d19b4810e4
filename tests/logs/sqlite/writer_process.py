"""A process that writes a log and says what was acknowledged, until it is killed.

Run as `python writer_process.py FILE NAME`. One line for each acknowledgement:
the run's id and its end offset.
"""

from __future__ import annotations

import asyncio
import os
import sys

from tickertape.core.events import TextDelta
from tickertape.logs.sqlite import SqliteLog
from tickertape.testing.log_probes import ENDED, started

RUNS = 8
APPENDS = 60


def text(offset):
    """Return the text of the record at an offset."""
    return f"{offset} "


async def write(log, run_id):
    """Write run after run: small appends, and some that fill a slice."""
    for turn in range(10_000):
        name = f"{run_id}-{turn}"
        await log.create(started(name))
        acknowledge(name, 1)
        end_offset = 1
        for number in range(APPENDS):
            size = 200 if number % 20 == 7 else 1 + number % 3
            events = [TextDelta(text(end_offset + at)) for at in range(size)]
            end_offset = await log.append(name, events, epoch=1)
            acknowledge(name, end_offset)
        acknowledge(name, await log.append(name, [ENDED], epoch=1))


def acknowledge(name, end_offset):
    os.write(1, f"{name} {end_offset}\n".encode())


async def main(path, name):
    async with SqliteLog(path) as log:
        os.write(1, b"open\n")
        await asyncio.gather(*(write(log, f"{name}.{run}") for run in range(RUNS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
