"""In the browser: what a token costs a page, and what a reader downloads, beside the AI SDK.

Reading is measured in Node, showing in Chromium, sizes with one bundler, all in one run.
What runs there is in `clients/js/bench`; "usual" is `useChat` of the AI SDK, with
`react-markdown` where markdown is shown.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, Protocol

from benchmarks.findings import Finding, check_text
from benchmarks.rig.chromium import CHROMIUM, Showing, chromium, pages_served, show

PACKAGE: Final = Path(__file__).parents[1] / "clients" / "js"
FLOOR_TIMES: Final = 5.0
CORE_CEILING_KB: Final = 6.0
"""Without the parser of server-sent events, which a page may have already."""

_BENCH: Final = PACKAGE / "bench"
_BUILD_TIMEOUT_S: Final = 120.0


class Pace(NamedTuple):
    """How an answer comes: `per_write` tokens every `pause_ms`."""

    name: str
    per_write: int
    pause_ms: int
    head: int = 0
    """As many tokens come at once before that."""

    def duration_s(self, tokens: int) -> float:
        """Return how long an answer takes at this pace."""
        return (tokens - self.head) / self.per_write * self.pause_ms / 1000


STEADY: Final = Pace("one by one, 200 tokens/s", 1, 5)
BURSTS: Final = Pace("in bursts, 200 tokens/s", 40, 200)
AT_ONCE: Final = Pace("as fast as it can", 40, 0)
SLOW_PER_S: Final = 25
FAST: Final = Pace("1,000 tokens/s", 10, 10)


def run(*, quick: bool) -> list[Finding]:
    """Read, weigh and show; a note in place of what can't be measured here."""
    if (node := _node()) is None:
        return [_missing("no Node.js with the packages: npm ci in clients/js")]
    findings = [*parsing(node, tokens=1_000 if quick else 10_000, rounds=3 if quick else 9)]
    findings += sizes(node)
    if not CHROMIUM.exists():
        return [*findings, _missing(f"{CHROMIUM} is missing; install Debian's chromium")]
    with TemporaryDirectory(prefix="tickertape-pages-") as folder:
        _build(node, Path(folder))
        return findings + showing(node, Path(folder), quick=quick)


def parsing(node: Path, *, tokens: int, rounds: int) -> list[Finding]:
    """Time bytes → state in Node.

    Raises:
        CalledProcessError: a text was not the one that was sent; stderr says which.
    """
    script = (node, _BENCH / "parse.ts", "--tokens", str(tokens), "--rounds", str(rounds))
    return [
        Finding(
            name=f"read {one['name']}",
            unit="µs/token",
            figures={"ours": one["ours_us"], "usual": one["usual_us"]},
            notes=(f"ours {1e6 / one['ours_us']:,.0f} tokens/s of {one['tokens']:,}",),
        )
        for one in _answer(script)
    ]


def sizes(node: Path) -> list[Finding]:
    """Weigh what is downloaded, compressed; React, which both need, is left out."""
    found = _answer([node, _BENCH / "size.ts"])
    kilobytes = {name: size / 1024 for name, size in found.items() if size is not None}
    return [
        Finding(
            name="size, the core without its parser",
            unit="KB gzip",
            figures={"ours": kilobytes["core without its parser"]},
            ceiling=CORE_CEILING_KB,
        ),
        Finding(
            name="size, the core",
            unit="KB gzip",
            figures={"ours": kilobytes["core"], "usual": kilobytes["usual core"]},
        ),
        Finding(
            name="size, useChat",
            unit="KB gzip",
            figures={"ours": kilobytes["hook"], "usual": kilobytes["usual hook"]},
            notes=(f"with <Chat>: {kilobytes['chat']:.1f} KB, its stylesheet included",),
        ),
        Finding(
            name="size, the page's first load",
            unit="KB gzip",
            figures={"ours": kilobytes["page"]} if "page" in kilobytes else {},
            notes=() if "page" in kilobytes else ("the page is not built: make run",),
        ),
    ]


def showing(node: Path, folder: Path, *, quick: bool) -> list[Finding]:
    """Time the main thread while an answer is shown, one page after the other.

    Raises:
        TextDiffers: what a page had in the end is not what another one had.
    """
    tokens, long_tokens = (400, 800) if quick else (10_000, 20_000)
    markdown = {"ours": "ours-markdown", "usual": "usual-markdown"}
    plain = {"ours": "ours-plain", "usual": "usual-plain"}
    their_best = {"AI SDK with streamdown": "usual-streamdown"}
    load = os.getloadavg()[0]
    with shown_pages(node, folder) as compare:
        found = [
            _times(
                name, tokens, compare(name, pages, pace, tokens), floor_times=floor_times, load=load
            )
            for name, pages, pace, floor_times in (
                (f"markdown, {STEADY.name}", markdown | their_best, STEADY, FLOOR_TIMES),
                (f"markdown, {BURSTS.name}", markdown, BURSTS, None),
                (f"markdown, {AT_ONCE.name}", markdown, AT_ONCE, None),
                (f"plain text, {STEADY.name}", plain, STEADY, None),
            )
        ]
        found.append(_last_token(compare, markdown | their_best, tokens, quick=quick))
        name = f"long tasks, {long_tokens:,} tokens, {FAST.name}"
        return [
            *found,
            _long_tasks(name, compare(name, markdown, FAST, long_tokens, is_traced=True)),
        ]


class Compare(Protocol):
    """Shows an answer of so many tokens in each of the pages, by who it is of."""

    def __call__(
        self,
        name: str,
        pages: Mapping[str, str],
        pace: Pace,
        tokens: int,
        *,
        is_traced: bool = False,
    ) -> dict[str, Showing]:
        """Return what it took, in the order of the pages."""


@contextmanager
def shown_pages(node: Path, folder: Path) -> Iterator[Compare]:
    """Serve the pages, and yield what shows them."""
    with pages_served(node, _BENCH / "server.ts", folder) as address, chromium() as browser:

        def compare(
            name: str, pages: Mapping[str, str], pace: Pace, tokens: int, *, is_traced: bool = False
        ) -> dict[str, Showing]:
            query = f"pace={tokens}-{pace.per_write}-{pace.pause_ms}-{pace.head}"
            timeout_s = 60 + 4 * pace.duration_s(tokens)
            return checked(
                name,
                {
                    who: show(
                        browser,
                        f"{address}/{page}.html?{query}",
                        timeout_s=timeout_s,
                        is_traced=is_traced,
                    )
                    for who, page in pages.items()
                },
            )

        yield compare


def checked(name: str, shown: dict[str, Showing]) -> dict[str, Showing]:
    """Return what was shown, if all of it is one text.

    Raises:
        TextDiffers: it is not.
    """
    for who, one in shown.items():
        check_text(shown["usual"].text, one.text, who=f"{name}, {who}")
    return shown


def _times(
    name: str,
    tokens: int,
    shown: dict[str, Showing],
    *,
    floor_times: float | None,
    load: float,
) -> Finding:
    # A page that wants its thread for itself and must share it draws less often, so that a busy
    # machine makes the slower page look better than it is.
    is_busy = load > 1
    busy = (f"the machine was busy (load {load:.1f})",) if is_busy else ()
    return Finding(
        name=name,
        unit="µs/token",
        figures={who: one.task_s * 1e6 / tokens for who, one in shown.items()},
        floor_times=floor_times,
        is_doubtful=is_busy,
        notes=busy
        + tuple(
            f"{who}: {100 * one.script_s / one.task_s:.0f}% in scripts, the rest styles, layout "
            "and paint"
            for who, one in shown.items()
        ),
    )


def _last_token(compare: Compare, pages: Mapping[str, str], tokens: int, *, quick: bool) -> Finding:
    """Take the cost of an answer that comes at once from that of one with some more, one by one.

    So slow that every page can draw each of them: how busy the machine is makes no difference.
    """
    more = 20 if quick else 200
    name = f"markdown, a token at the end of {tokens:,}"
    whole = compare(name, pages, Pace("", 1, 1_000 // SLOW_PER_S, tokens), tokens + more)
    head = compare(name, pages, Pace("", 1, 0, tokens), tokens)
    return Finding(
        name=f"{name}, {SLOW_PER_S} tokens/s",
        unit="µs/token",
        figures={who: (whole[who].task_s - head[who].task_s) * 1e6 / more for who in pages},
        floor_times=FLOOR_TIMES,
    )


def _long_tasks(name: str, shown: dict[str, Showing]) -> Finding:
    """Count tasks of more than 50 ms, in CPU time: how busy the machine is makes no difference."""
    return Finding(
        name=name,
        unit="tasks",
        figures={who: len(one.long_tasks_ms) for who, one in shown.items()},
        ceiling=0,
        notes=tuple(
            f"{who}: {sum(one.long_tasks_ms):.0f} ms in all, up to {max(one.long_tasks_ms):.0f} ms"
            for who, one in shown.items()
            if one.long_tasks_ms
        ),
    )


def _missing(what: str) -> Finding:
    return Finding(name="browser", unit="", figures={}, notes=(what,))


def _node() -> Path | None:
    """Return Node.js, where the packages that are measured are installed."""
    beside_python = Path(sys.executable).with_name("node")
    found = beside_python if beside_python.exists() else shutil.which("node")
    return Path(found) if found and (PACKAGE / "node_modules" / "ai").exists() else None


def _build(node: Path, folder: Path) -> None:
    vite = PACKAGE / "node_modules" / "vite" / "bin" / "vite.js"
    subprocess.run(
        [
            *(node, vite, "build", "--logLevel", "error", "--config", _BENCH / "vite.config.ts"),
            *("--outDir", folder),
        ],
        cwd=PACKAGE,
        timeout=_BUILD_TIMEOUT_S,
        check=True,
    )


def _answer(command: Sequence[str | Path]) -> Any:
    """Run a script of `clients/js/bench` and return the JSON that it printed."""
    done = subprocess.run(
        command, cwd=PACKAGE, stdout=subprocess.PIPE, text=True, timeout=600, check=True
    )
    return json.loads(done.stdout)
