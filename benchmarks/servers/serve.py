"""Run one application as the process under test: uvicorn, with what is quick in it."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Mapping
from multiprocessing.connection import Connection

import uvicorn


def serve(
    parent: Connection, name: str, provider_url: str, settings: Mapping[str, str], core: int
) -> None:
    """Serve `benchmarks.servers.{name}` on one core until terminated."""
    os.sched_setaffinity(0, {core})
    app = importlib.import_module(f"benchmarks.servers.{name}").build(provider_url, **settings)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    parent.send(listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listener])
