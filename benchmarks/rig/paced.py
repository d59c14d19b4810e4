"""The provider simulator in a process of its own: answers every request at an even pace.

The first token comes with the headers. Each token's text is the time of its sending,
on the clock that all processes share.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Final

from benchmarks import azure_stream
from benchmarks.findings import TextDiffers
from benchmarks.rig.poller import Poller
from benchmarks.rig.provider import Provider

_START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 5.0
STAMP: Final = re.compile(r"@(\d{16})~")
"""One token: when it was sent, in microseconds."""


@contextmanager
def paced_provider(*, tokens: int, tokens_per_s: float, core: int) -> Iterator[int]:
    """Run it on one core, which it burns; yield its port. One request at a time."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, tokens, tokens_per_s, core), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(_START_TIMEOUT_S):
            raise TimeoutError("the provider did not start")
        yield ours.recv()
    finally:
        process.terminate()
        process.join(_STOP_TIMEOUT_S)
        ours.close()


def stamps_us(text: str) -> list[int]:
    """Return when each token of the text was sent, in microseconds.

    Raises:
        TextDiffers: it is not made of whole tokens.
    """
    found = [int(stamp) for stamp in STAMP.findall(text)]
    if len(found) * 18 != len(text):
        raise TextDiffers(f"not made of whole tokens: {text!r:.200}")
    return found


def _serve(parent: Connection, tokens: int, tokens_per_s: float, core: int) -> None:
    os.sched_setaffinity(0, {core})
    poller = Poller()
    provider = Provider(poller)
    parent.send(provider.port)
    while True:
        poller.poll_while(lambda: not provider.streams, timeout_s=3600)
        (stream,) = provider.streams
        started_s = time.monotonic()
        for turn in range(tokens):
            poller.poll_until(started_s + turn / tokens_per_s)
            stamp = f"@{time.monotonic_ns() // 1000:016d}~"
            provider.write(stream, azure_stream.token_chunk(stamp))
        provider.end_streams()
