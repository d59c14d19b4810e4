"""Ours, with the log in a SQLite file, as `tickertape serve` has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory

from starlette.routing import Router

from tickertape.web.asgi import create_app
from tickertape.web.assembly import open_handlers
from tickertape.web.handlers import Handlers


def build(provider_url: str) -> Router:
    """Return the application. Its file is deleted when it stops."""
    environment = {"OPENAI_BASE_URL": provider_url, "OPENAI_API_KEY": "none"}

    @asynccontextmanager
    async def open_in_folder() -> AsyncIterator[Handlers]:
        with TemporaryDirectory(prefix="tickertape-log-") as folder:
            log = f"sqlite:{folder}/log.db"
            async with open_handlers(log=log, environment=environment) as handlers:
                yield handlers

    return create_app(open_in_folder, page=False)
