"""One page of the browser's benchmark in Debian's Chromium: what its main thread did.

Knows nothing of what the page is; `clients/js/bench/pages` says how it begins and ends.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

CHROMIUM: Final = Path("/usr/bin/chromium")
LONG_TASK_MS: Final = 50.0
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
_STOP_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What it took to show one answer, in CPU time of the page's main thread."""

    text: str
    task_s: float
    """All of it: scripts, styles, layout, painting."""
    script_s: float
    long_tasks_ms: tuple[float, ...]
    """Tasks of more than 50 ms, longest first; none were looked for unless it was traced."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def pages_served(node: Path, script: Path, folder: Path) -> Iterator[str]:
    """Serve the built pages in `folder`, and their answers; yield the address."""
    with subprocess.Popen(
        [node, script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
            process.wait(_STOP_TIMEOUT_S)


def show(browser: Browser, address: str, *, timeout_s: float, is_traced: bool) -> Showing:
    """Open the page in a profile of its own, press "Send", and wait until the answer is shown.

    Tracing finds the long tasks, and makes every task dearer.
    """
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        send = page.get_by_role("button", name="Send")
        send.wait_for()
        session = context.new_cdp_session(page)
        # Of the thread, not of the wall: what else runs on this machine is not the page's.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        if is_traced:
            browser.start_tracing(page=page, categories=["toplevel"])
        before = _metrics(session.send("Performance.getMetrics"))
        # The page says when it is done. To ask it again and again would be work for it.
        with page.expect_console_message(
            lambda message: message.text == "ended", timeout=timeout_s * 1000
        ):
            send.click()
        after = _metrics(session.send("Performance.getMetrics"))
        events = json.loads(browser.stop_tracing())["traceEvents"] if is_traced else []
        return Showing(
            text=page.evaluate("answerText"),
            task_s=after["TaskDuration"] - before["TaskDuration"],
            script_s=after["ScriptDuration"] - before["ScriptDuration"],
            long_tasks_ms=_long_tasks_ms(events),
        )


def _long_tasks_ms(events: list[dict[str, Any]]) -> tuple[float, ...]:
    """Return the CPU times of the long tasks, in every page of the trace."""
    main_threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    times_ms = [
        event.get("tdur", event["dur"]) / 1000
        for event in events
        if event["ph"] == "X"
        and event["name"].endswith("RunTask")
        and (event["pid"], event["tid"]) in main_threads
    ]
    return tuple(sorted((one for one in times_ms if one > LONG_TASK_MS), reverse=True))


def _metrics(answer: dict[str, list[dict[str, str | float]]]) -> dict[str, float]:
    return {str(one["name"]): float(one["value"]) for one in answer["metrics"]}
