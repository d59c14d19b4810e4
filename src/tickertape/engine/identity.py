"""Names for runs, and for those who write them: the one place that makes them up."""

from __future__ import annotations

import secrets


def new_run_id() -> str:
    """Return 128 random bits as 22 URL-safe characters: nobody guesses another's run."""
    return secrets.token_urlsafe(16)


def new_holder() -> str:
    """Return a name for one engine, as the holder of its lease: no other ever has it."""
    return secrets.token_urlsafe(12)
