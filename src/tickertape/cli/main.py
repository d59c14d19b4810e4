"""The entry point: imports without the extra, and turns errors into one line.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped, 141 nobody reads our output.
"""

from __future__ import annotations

import sys
from typing import Final, NoReturn

from tickertape.core.errors import MissingExtra, TickertapeError

_EXTRA_PACKAGES: Final = frozenset({"typer", "rich", "starlette", "uvicorn", "platformdirs"})


def main() -> NoReturn:
    """Run the command line, and exit."""
    try:
        _run()
    except TickertapeError as error:
        print(f"tickertape: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA_PACKAGES:
            raise
        missing = MissingExtra("serve", needed_for=f"this command ({error.name} is not installed)")
        print(f"tickertape: {missing}", file=sys.stderr)
    sys.exit(1)


def _run() -> NoReturn:
    from tickertape.cli.app import app

    app(prog_name="tickertape")
    sys.exit(0)
