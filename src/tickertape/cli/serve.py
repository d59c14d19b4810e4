"""`tickertape serve`: says what it serves, and serves it."""

from __future__ import annotations

import asyncio
import logging
import threading
import webbrowser
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from tickertape.providers.catalog import Catalog
from tickertape.testing.fault_provider import open_fault_provider
from tickertape.web.log_setting import describe_log
from tickertape.web.page_files import HOW_TO_BUILD, is_page_built
from tickertape.web.serve import ServeSettings, serve


def serve_until_stopped(
    settings: ServeSettings,
    *,
    environment: Mapping[str, str],
    opens_browser: bool,
    breaks_answers: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: the port is in use, or there is no model to answer.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("tickertape").setLevel(logging.INFO)
    descriptions = asyncio.run(_describe(environment))
    log = describe_log(settings.log, retention_s=settings.retention_s)
    # Whoever starts a server reads its address from a pipe, too: no wrapping there.
    console = Console(soft_wrap=True, highlight=False)

    def say_ready(url: str) -> None:
        console.print(f"Tickertape serves at [bold]{escape(url)}[/bold]")
        for description in descriptions:
            console.print(f"  model  {escape(description)}")
        console.print(f"  log    {escape(log)}")
        if not is_page_built():
            console.print(f"  page   {escape(HOW_TO_BUILD)}")
        if settings.workers > 1:
            console.print(f"  {settings.workers} workers, each with its own models and runs")
        if breaks_answers:
            console.print("  model  faults/…: a fault server")
            console.print("  For development only: whoever reaches this can break its answers.")
        console.print("Ctrl-C stops it.")
        if opens_browser:
            # Some browsers keep the call until they close.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    serve(
        settings,
        environment=environment,
        on_ready=say_ready,
        open_fault_provider=open_fault_provider if breaks_answers else None,
    )


async def _describe(environment: Mapping[str, str]) -> list[str]:
    catalog = Catalog.from_environment(environment)
    try:
        return catalog.describe()
    finally:
        await catalog.close()
