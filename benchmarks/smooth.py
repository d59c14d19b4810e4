"""How evenly text is shown, and how late, against the AI SDK's `smoothStream`; and the cost.

Both get one trace of arrivals, in virtual time. `smoothStream` is a package of npm:
it takes part when `TICKERTAPE_AI_SDK` names a folder where `npm install ai` was run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median, pstdev, quantiles
from typing import Final

from benchmarks.bursts import Delta, bursts, steady
from benchmarks.findings import Finding, check_text
from tickertape.core.smooth import FRAME_S, DisplayBuffer

CEILING_US: Final = 20.0
MAX_DELAY_S: Final = 0.25
AI_SDK: Final = "TICKERTAPE_AI_SDK"
STILL_S: Final = 0.1
"""A longer pause than this is seen as a stop."""

_SCRIPT: Final = Path(__file__).with_name("smooth_stream.mjs")


def run(*, quick: bool) -> list[Finding]:
    """Show a trace in bursts and a steady one, and time the buffer."""
    burst_trace, steady_trace = bursts(20 if quick else 200), steady(200 if quick else 4000)
    return [
        *compare("bursts", burst_trace),
        *compare("steady", steady_trace),
        cost("smooth, a token a push", steady_trace, rounds=3 if quick else 9),
        cost("smooth, tokens in bursts", burst_trace, rounds=3 if quick else 9),
    ]


def compare(name: str, arrived: Sequence[Delta]) -> list[Finding]:
    """Return how evenly and how late each way shows the trace.

    Raises:
        TextDiffers: what was shown is not what arrived.
    """
    ways = {"as it arrives": merged(arrived), "ours": ours(arrived)}
    notes: tuple[str, ...] = ()
    if (theirs := smooth_stream(arrived)) is None:
        notes = (f"no smoothStream: npm install ai in a folder, and name it in {AI_SDK}",)
    else:
        ways["usual"] = theirs
    measured: dict[str, dict[str, tuple[str, float]]] = {}
    for who, shown in ways.items():
        check_text(_text(arrived), _text(shown), who=f"{name}, {who}")
        for figure, value in figures(arrived, shown).items():
            measured.setdefault(figure, {})[who] = value
    return [
        Finding(
            name=f"{name}: {figure}",
            unit=values["ours"][0],
            figures={who: value for who, (_, value) in values.items()},
            ceiling=MAX_DELAY_S * 1000 if figure == "added delay, max" else None,
            notes=notes if at == 0 else (),
        )
        for at, (figure, values) in enumerate(measured.items())
    ]


def figures(arrived: Sequence[Delta], shown: Sequence[Delta]) -> dict[str, tuple[str, float]]:
    """Return unit and value of each figure; less is better in all of them."""
    gaps_ms = [(after.at_s - before.at_s) * 1000 for before, after in pairwise(shown)]
    delays_ms = [
        (shown_s - arrived_s) * 1000
        for arrived_s, shown_s in zip(_times(arrived), _times(shown), strict=True)
    ]
    sizes = [float(len(one.text)) for one in shown]
    gap, delay, size = (quantiles(one, n=100) for one in (gaps_ms, delays_ms, sizes))
    still_ms = sum(max(0.0, one - STILL_S * 1000) for one in gaps_ms)
    return {
        "gap between displays, p50": ("ms", gap[49]),
        "gap between displays, p95": ("ms", gap[94]),
        "gap between displays, max": ("ms", max(gaps_ms)),
        "gap, coefficient of variation": ("", pstdev(gaps_ms) / fmean(gaps_ms)),
        "characters per 100 ms, coefficient of variation": ("", unevenness(shown)),
        "time in which nothing moves": ("%", 100 * still_ms / sum(gaps_ms)),
        "characters at once, p95": ("", size[94]),
        "characters at once, max": ("", max(sizes)),
        "added delay, p50": ("ms", delay[49]),
        "added delay, p95": ("ms", delay[94]),
        "added delay, max": ("ms", max(delays_ms)),
    }


def unevenness(shown: Sequence[Delta], *, slice_s: float = 0.1) -> float:
    """Return the standard deviation, over the mean, of the characters in each slice of time."""
    counts = [0.0] * (int((shown[-1].at_s - shown[0].at_s) / slice_s) + 1)
    for at_s, text in shown:
        counts[int((at_s - shown[0].at_s) / slice_s)] += len(text)
    return pstdev(counts) / fmean(counts)


def merged(arrived: Sequence[Delta]) -> list[Delta]:
    """Return the displays without smoothing: one for each moment at which something came."""
    shown: list[Delta] = []
    for at_s, text in arrived:
        if shown and shown[-1].at_s == at_s:
            shown[-1] = Delta(at_s, shown[-1].text + text)
        else:
            shown.append(Delta(at_s, text))
    return shown


def ours(arrived: Sequence[Delta], *, frame_s: float = FRAME_S) -> list[Delta]:
    """Return the displays of a caller with one timer, set to what the buffer asks for."""
    buffer = DisplayBuffer(max_delay_s=MAX_DELAY_S, frame_s=frame_s)
    shown: list[Delta] = []

    def show(until_s: float) -> None:
        while (at_s := buffer.next_at_s()) is not None and at_s < until_s:
            if text := buffer.pop(now_s=at_s):
                shown.append(Delta(at_s, text))

    for at_s, text in arrived:
        show(at_s)
        buffer.push(text, now_s=at_s)
    ended_s = arrived[-1].at_s
    show(ended_s)
    if text := buffer.finish():
        shown.append(Delta(ended_s, text))
    return shown


def smooth_stream(arrived: Sequence[Delta]) -> list[Delta] | None:
    """Return the displays of the AI SDK's `smoothStream`, or None where it is not installed."""
    folder = os.environ.get(AI_SDK, "")
    beside_python = Path(sys.executable).with_name("node")
    node = beside_python if beside_python.exists() else shutil.which("node")
    if not (node and folder and Path(folder, "node_modules", "ai").exists()):
        return None
    done = subprocess.run(
        [node, _SCRIPT, folder],
        input=json.dumps([one._asdict() for one in arrived]),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return [Delta(**one) for one in json.loads(done.stdout)]


def cost(name: str, arrived: Sequence[Delta], *, rounds: int) -> Finding:
    """Time push, pop and the question for the next time, as one reader of the trace calls them."""
    found: list[float] = []
    shown: list[Delta] = []
    for _ in range(rounds):
        started_s = time.process_time()
        shown = ours(arrived)
        found.append((time.process_time() - started_s) * 1e6 / len(arrived))
        check_text(_text(arrived), _text(shown), who=name)
    return Finding(
        name=name,
        unit="µs/delta",
        figures={"ours": median(found)},
        ceiling=CEILING_US,
        notes=(f"{len(shown) / len(arrived):.2f} displays for each delta",),
    )


def _text(deltas: Sequence[Delta]) -> str:
    return "".join([one.text for one in deltas])


def _times(deltas: Sequence[Delta]) -> list[float]:
    return [one.at_s for one in deltas for _ in one.text]
