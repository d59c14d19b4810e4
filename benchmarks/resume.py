"""How long a reader takes to catch up with a long run, and how much it is sent.

A run of 5,000 tokens, each stored alone. A reader connects, with no cursor or with
one in the middle, and has caught up when the last token has arrived. Over HTTP, the
connection included; one reader at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks import azure_stream
from benchmarks.findings import Finding, check_text
from benchmarks.rig import http1, places
from benchmarks.rig.bench import MAX_WAITED_SHARE
from benchmarks.rig.played import PlayedRun, await_ends, await_marks, start_runs
from benchmarks.rig.processes import Server, usage
from benchmarks.rig.rig import Rig, rig

CEILING_MS: Final = 50.0

TOKENS: Final = 5000


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a run: none, or after a block that somebody has read."""

    after: str | None
    tokens: int
    """How many come after it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One reader that caught up."""

    seconds: float
    waited_s: float
    """How long the server had to wait for its core, since others used it."""
    received_bytes: int
    blocks: int


def run(*, quick: bool) -> list[Finding]:
    """Measure every log, with a run that goes on and with one that has ended."""
    tokens, rounds = (200, 3) if quick else (TOKENS, 20)
    found: dict[str, dict[str, list[Measured]]] = {}
    with rig() as desk, ExitStack() as stack:
        readers: list[tuple[str, str, Callable[[], Measured]]] = []
        for number, who in enumerate(places.available()):
            server = stack.enter_context(desk.start(who))
            readers += [
                (name, who, read)
                for name, read in _readers(desk, server, tokens=tokens, number=2 * number)
            ]
        for turn in range(rounds + 1):
            for name, who, read in readers:
                measured = read()
                if turn:  # the first round warms up
                    found.setdefault(name, {}).setdefault(who, []).append(measured)
    return [_finding(f"resume, {tokens} tokens, {name}", by_who) for name, by_who in found.items()]


def _readers(
    desk: Rig, server: Server, *, tokens: int, number: int
) -> list[tuple[str, Callable[[], Measured]]]:
    """Play two runs, one of them to its end; return what there is to measure, by name."""
    found: list[tuple[str, Callable[[], Measured]]] = []
    for state, run in zip(
        ("still running", "ended"), start_runs(desk, server, (number, number + 1)), strict=True
    ):
        middle = play(desk, server, run, tokens=tokens, ends=state == "ended")
        for place, cursor in (("beginning", Cursor(None, tokens)), ("middle", middle)):

            def read(run: PlayedRun = run, cursor: Cursor = cursor, state: str = state) -> Measured:
                return catch_up(desk, server, run, cursor, is_ended=state == "ended")

            found.append((f"{state}, from the {place}", read))
    return found


def play(desk: Rig, server: Server, run: PlayedRun, *, tokens: int, ends: bool) -> Cursor:
    """Send the tokens one by one, each when a reader has the one before; return its middle."""
    words = iter(azure_stream.tokens(tokens))

    def write(_: int) -> None:
        word = next(words, None)
        if word is not None:
            run.write(word)

    reader = run.read(server)
    reader.on_mark = write
    write(0)
    await_marks(desk, [reader], tokens)
    after = http1.ids_of(reader.body)[-1 - tokens // 2]
    if ends:
        run.end()
        await_ends(desk, [reader])
    check_text(run.text, http1.text_so_far(reader.body), who=server.name)
    reader.close()
    return Cursor(after, tokens // 2)


def catch_up(
    desk: Rig, server: Server, run: PlayedRun, cursor: Cursor, *, is_ended: bool
) -> Measured:
    """Read the run from the cursor to where it stands.

    Raises:
        TextDiffers: what came is not the text after the cursor.
    """
    waited_s, started_s = usage(server.pid).waited_s, time.monotonic()
    reader = run.read(server, after=cursor.after)
    if is_ended:
        await_ends(desk, [reader])
    else:
        await_marks(desk, [reader], cursor.tokens)
    seconds = time.monotonic() - started_s
    waited_s = usage(server.pid).waited_s - waited_s
    body = reader.body
    check_text("".join(run.sent[-cursor.tokens :]), http1.text_so_far(body), who=server.name)
    reader.close()
    return Measured(seconds, waited_s, reader.received_bytes, len(http1.ids_of(body)))


def _finding(name: str, found: dict[str, list[Measured]]) -> Finding:
    return Finding(
        name=name,
        unit="ms",
        figures={who: median(one.seconds for one in each) * 1e3 for who, each in found.items()},
        ceiling=CEILING_MS,
        is_doubtful=any(_waited_share(each) > MAX_WAITED_SHARE for each in found.values()),
        notes=tuple(_describe(who, each) for who, each in found.items()),
    )


def _describe(who: str, each: Sequence[Measured]) -> str:
    quickest_ms, slowest_ms = (extreme(one.seconds for one in each) * 1e3 for extreme in (min, max))
    received = median(one.received_bytes for one in each)
    told = (
        f"{who}: {received:,.0f} bytes in {median(one.blocks for one in each):.0f} blocks; "
        f"of {len(each)}, the quickest took {quickest_ms:.2f} ms, the slowest {slowest_ms:.1f} ms"
    )
    share = _waited_share(each)
    if share > MAX_WAITED_SHARE:
        told += f"; others used its core, it waited for {share:.0%} of the time"
    return told


def _waited_share(each: Sequence[Measured]) -> float:
    return sum(one.waited_s for one in each) / sum(one.seconds for one in each)
