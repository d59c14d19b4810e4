"""Debian's Chromium, for tests: skipped where it is missing on a laptop, a failure in CI."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Final

import pytest
from playwright.async_api import Browser, async_playwright

_CHROMIUM: Final = "/usr/bin/chromium"
_ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever a page asks for elsewhere is noted by its test, and never leaves the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@contextlib.asynccontextmanager
async def open_chromium() -> AsyncIterator[Browser]:
    """Start a browser, and stop it afterwards."""
    if shutil.which(_CHROMIUM) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{_CHROMIUM} is missing; install Debian's chromium")
        pytest.skip(f"{_CHROMIUM} is missing")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        await browser.close()
