"""`serve` in a process of its own, whose provider is a fault server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys

SCRIPT = """
import json, os, sys
from tickertape.web.serve import ServeSettings, serve
serve(
    ServeSettings(port=0, **json.loads(sys.argv[1])),
    environment=os.environ,
    on_ready=lambda url: print(url, flush=True),
)
"""


@contextlib.asynccontextmanager
async def serve_processes(provider, folder):
    """Yield a function that starts a server with settings: its process and URL. End them all."""
    processes = []

    async def start(**settings):
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": provider.openai_base_url,
            "OPENAI_API_KEY": provider.api_key,
            "XDG_STATE_HOME": str(folder),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SCRIPT, json.dumps(settings),
            env=environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        url = (await process.stdout.readline()).decode().strip()
        assert url.startswith("http://127.0.0.1:")
        return process, url

    try:
        yield start
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
            process._transport.close()
