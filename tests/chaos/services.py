"""What a storm needs from the machine."""

from __future__ import annotations

import os
import shutil

import pytest


def require(*programs: str) -> None:
    """Skip the test where a program is missing; with `CI=true` fail, and say what is."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    message = f"not installed: {', '.join(missing)}; on Debian: apt-get install curl redis-server"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
