"""Run benchmarks and print what they found: `python -m benchmarks [NAME …] [--quick] [--save]`.

Ends with status 1 when a text that arrived was not the text that was sent, and
never because of a figure: those are for people to judge.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks import (
    browser,
    decode,
    delay,
    fan_out,
    first_text,
    idle_readers,
    leftovers,
    logs,
    memory,
    relay,
    report,
    resume,
    smooth,
)
from benchmarks.findings import Finding, TextDiffers

BENCHMARKS: Final = {
    "decode": decode.run,
    "relay": relay.run,
    "delay": delay.run,
    "memory": memory.run,
    "smooth": smooth.run,
    "browser": browser.run,
    "first_text": first_text.run,
    "leftovers": leftovers.run,
    "logs": logs.run,
    "resume": resume.run,
    "idle_readers": idle_readers.run,
    "fan_out": fan_out.run,
}
RESULTS: Final = Path(__file__).parent / "results"

_PACKAGES: Final = (
    "tickertape", "aiohttp", "msgspec", "starlette", "uvicorn", "uvloop", "httptools", "fastapi",
    "openai", "httpx2", "pydantic",
)  # fmt: skip


def main() -> int:
    """Run what the command line names, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="one short round: does it still work?")
    parser.add_argument("--save", action="store_true", help=f"also write to {RESULTS}")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    date = time.strftime("%Y-%m-%d", time.gmtime())
    circumstances = _circumstances(date)
    findings: list[Finding] = []
    try:
        for name in arguments.names or BENCHMARKS:
            print(f"{name} …", file=sys.stderr, flush=True)
            findings += BENCHMARKS[name](quick=arguments.quick)
    except TextDiffers as error:
        print(f"the text is wrong, so no figure counts: {error}", file=sys.stderr)
        return 1
    print(report.as_markdown(findings, circumstances))
    if arguments.save:
        report.save(findings, circumstances, folder=RESULTS, date=date)
    return 0


def _circumstances(date: str) -> dict[str, str]:
    models = [
        line.partition(": ")[2]
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": date,
        "machine": f"{os.cpu_count()} × {models[0] if models else platform.machine()}, "
        f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    }


if __name__ == "__main__":
    sys.exit(main())
