"""Names for runs: the one place that makes them up."""

from __future__ import annotations

import secrets


def new_run_id() -> str:
    """Return 128 random bits as 22 URL-safe characters: nobody guesses another's run."""
    return secrets.token_urlsafe(16)
