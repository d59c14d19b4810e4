"""Serves on a port: in this process, or with several workers that this process owns."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from tickertape.core.errors import ConfigurationError
from tickertape.web.breakage import OpenFaultProvider
from tickertape.web.serve_settings import ServeSettings
from tickertape.web.server import run_server
from tickertape.web.workers import run_workers

__all__ = ["ServeSettings", "serve"]


def serve(
    settings: ServeSettings,
    *,
    environment: Mapping[str, str],
    on_ready: Callable[[str], None] = lambda url: None,
    open_fault_provider: OpenFaultProvider | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `on_ready` gets the URL once connections are taken.

    With `open_fault_provider`, which is for development, answers can be broken on
    command (see `breakage`), by anyone who can reach the port.

    Raises:
        ConfigurationError: the port or the log is in use, or nothing is there to
            answer with. WorkersFailed: the workers can't be kept running.
    """
    if open_fault_provider is not None and settings.workers > 1:
        raise ConfigurationError(
            f"{settings.workers} workers can't break answers on command: only the worker that "
            "writes one could; use one worker"
        )
    with _listen(settings.host, settings.port) as listener:
        url = _url(listener)
        if settings.workers > 1:
            run_workers(settings, listener, environment=environment, on_ready=lambda: on_ready(url))
            return
        run_server(
            settings,
            listener,
            environment=environment,
            on_ready=lambda: on_ready(url),
            open_fault_provider=open_fault_provider,
        )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigurationError(
            f"can't listen on {host} port {port}: {error}. "
            "Choose another with --port, or --port 0 for any free one"
        ) from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
