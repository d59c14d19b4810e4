"""The limit: nginx, copying the provider's bytes without buffering them."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Final

PROGRAM: Final = Path("/usr/sbin/nginx")

_RELAY: Final = """
upstream provider {{ server 127.0.0.1:{provider_port}; keepalive 512; }}
server {{
  listen 127.0.0.1:{port} backlog=2048;
  location / {{
    proxy_pass http://provider;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
  }}
}}
"""


def configuration(servers: str, *, error_log: str) -> str:
    """Return the whole configuration of one process with these servers, its files in its folder."""
    return f"""
daemon off;
master_process off;
pid nginx.pid;
error_log {error_log};
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
{servers}
}}
"""


def start(folder: Path, *, provider_port: int, core: int) -> tuple[subprocess.Popen[bytes], int]:
    """Start nginx with its files in `folder`; return its process and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    relay = _RELAY.format(port=port, provider_port=provider_port)
    (folder / "nginx.conf").write_text(configuration(relay, error_log="stderr"))
    process = subprocess.Popen([PROGRAM, "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
    os.sched_setaffinity(process.pid, {core})
    return process, port
