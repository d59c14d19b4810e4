"""`tickertape faults`: a provider that misbehaves on command, and tells what its clients did."""

from __future__ import annotations

import asyncio
import math
import signal
from pathlib import Path
from typing import Final

from tickertape.cli.printing import for_terminal
from tickertape.core.errors import ConfigurationError
from tickertape.testing.fault_catalog import ENTRIES, fault_catalog
from tickertape.testing.fault_server import FaultServer
from tickertape.testing.fault_server.exchanges import EndedBy, Exchange
from tickertape.testing.scenarios import Scenario, load_scenario

_ENDS: Final[dict[EndedBy, str]] = {
    "finished": "sent to its end",
    "hung_up": "the client hung up",
    "cut": "cut, as it should be",
    "server_closed": "stopped with this server",
}


def list_faults() -> None:
    """Print every fault that has a name."""
    width = max(len(entry.name) for entry in ENTRIES)
    for entry in ENTRIES:
        print(f"{entry.name.ljust(width)}  {entry.meaning}")


def scenario_to_play(path: Path | None, fault: str | None) -> Scenario:
    """Return what to serve: a file, one fault for every model, or the catalog.

    Raises:
        ConfigurationError: the file is no scenario, or no fault has this name.
    """
    if path is not None:
        return load_scenario(path)
    if fault is None:
        return fault_catalog()
    turns = fault_catalog().models.get(fault)
    if turns is None:
        raise ConfigurationError(
            f"there is no fault {fault!r}: tickertape faults --list shows them"
        )
    return Scenario(turns=turns)


def serve_faults(scenario: Scenario, *, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: the port is taken.
    """
    asyncio.run(_serve(scenario, port))


async def _serve(scenario: Scenario, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    # Any key will do: what is to be tried is the application, with the key that it has.
    async with FaultServer(scenario, api_key=None, port=port) as server:
        _say_where(server, scenario)
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_tell_all(server, group))
            await stopped.wait()
            telling.cancel()
            await server.close()  # which ends every exchange that is still being told


def _say_where(server: FaultServer, scenario: Scenario) -> None:
    azure, openai = server.azure_environment, server.openai_environment
    print(f"The fault server listens at {server.url}. Point a client there, with any key:\n")
    for environment in (openai, azure):
        given = {name: value or "any" for name, value in environment.items()}
        print("  export", *(f"{name}={value}" for name, value in given.items()))
    print()
    if scenario.models:
        print("The model (or deployment) that a request names picks its fault:")
        print(f"  {', '.join(map(for_terminal, scenario.models))}")
    print("Ctrl-C stops it.", flush=True)


async def _tell_all(server: FaultServer, group: asyncio.TaskGroup) -> None:
    number = 0
    while True:
        exchange = await server.next_exchange(timeout_s=math.inf)
        number += 1
        request = exchange.request
        model = request.body.get("model", "") if isinstance(request.body, dict) else ""
        print(
            f"{number:>4}  {request.method} {for_terminal(f'{request.path}  {model}')}", flush=True
        )
        group.create_task(_tell_end(number, exchange))


async def _tell_end(number: int, exchange: Exchange) -> None:
    ended_by = await exchange.ended(timeout_s=math.inf)
    sent = "nothing of the answer"
    if exchange.bytes_sent:  # the status is known before, but may never have been sent
        sent = f"status {exchange.status}, {exchange.chunks_sent} chunks"
    print(f"{number:>4}  {sent}; {_ENDS[ended_by]}", flush=True)
