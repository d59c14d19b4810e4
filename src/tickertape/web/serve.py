"""Serves on a port: in this process, or with several workers that this process owns."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from tickertape.core.errors import ConfigurationError
from tickertape.web.serve_settings import ServeSettings
from tickertape.web.server import run_server
from tickertape.web.workers import run_workers

__all__ = ["ServeSettings", "serve"]


def serve(
    settings: ServeSettings,
    *,
    environment: Mapping[str, str],
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until SIGTERM or SIGINT. `on_ready` gets the URL once connections are taken.

    Raises:
        ConfigurationError: the port or the log is in use, or nothing is there to
            answer with. WorkersFailed: the workers can't be kept running.
    """
    with _listen(settings.host, settings.port) as listener:
        url = _url(listener)
        run = run_server if settings.workers == 1 else run_workers
        run(settings, listener, environment=environment, on_ready=lambda: on_ready(url))


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
