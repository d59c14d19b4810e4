"""Replays a schedule step by step: `python -m tests.simulation --seed 7`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.play import play


def main() -> int:
    """Play the seeds that are asked for; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=1, help="how many seeds, from this one on")
    parser.add_argument("--log", choices=["memory", "redis"], default="memory")
    asked = parser.parse_args()
    is_traced = asked.count == 1
    is_broken = False
    began_s = time.perf_counter()
    for seed in range(asked.seed, asked.seed + asked.count):
        played = play(seed, log=asked.log, is_traced=is_traced)
        for line in played.lines:
            print(line)
        for promise in played.broken:
            print(f"seed {seed}: {promise}")
        is_broken = is_broken or bool(played.broken)
    took_s = time.perf_counter() - began_s
    print(f"{asked.count} schedules in {took_s:.2f} s: {'BROKEN' if is_broken else 'all kept'}")
    return 1 if is_broken else 0


if __name__ == "__main__":
    sys.exit(main())
