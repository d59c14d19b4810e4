"""`tickertape tail`: follow a run on a server."""

from __future__ import annotations

import logging

from tickertape.cli.printing import print_answer
from tickertape.client.reader import tail_run


def follow_run(url: str, run_id: str, *, after: str) -> int:
    """Print the run's text to its end, and return the exit code.

    Says on stderr when the connection is lost and tried again.
    """
    logging.basicConfig(format="tickertape: %(message)s")
    logging.getLogger("tickertape.client").setLevel(logging.INFO)
    return print_answer(tail_run(url, run_id, after=after))
