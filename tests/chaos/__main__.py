"""`python -m tests.chaos`: a long storm, with its figures; exits 1 if a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys

from tests.chaos.storm import Storm, blow


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=2.0, help="within which runs start")
    parser.add_argument("--seed", type=int, help="of a storm that is to blow again")
    parser.add_argument("--blow-every", type=float, default=2.0, help="seconds between blows")
    parser.add_argument("--sqlite", action="store_true", help="one server over a SQLite file")
    parser.add_argument("--power-cuts", action="store_true", help="let Redis lose records, too")
    asked = parser.parse_args()
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    print(f"seed       {seed}", flush=True)
    report = asyncio.run(
        blow(
            Storm(
                seed=seed,
                runs=asked.runs,
                spread_s=asked.minutes * 60,
                blow_every_s=asked.blow_every,
                servers=1 if asked.sqlite else 3,
                has_redis=not asked.sqlite,
                cuts_power=asked.power_cuts,
            )
        )
    )
    print(report)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
