"""Ours: the application of `tickertape serve`, with any log that its setting can name."""

from __future__ import annotations

from functools import partial

from starlette.routing import Router

from tickertape.web.asgi import create_app
from tickertape.web.assembly import open_handlers


def build(provider_url: str, *, log: str) -> Router:
    """Return the application."""
    environment = {"OPENAI_BASE_URL": provider_url, "OPENAI_API_KEY": "none"}
    return create_app(partial(open_handlers, log=log, environment=environment), page_folder=None)
