"""What goes wrong, done to a process and undone again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_never

from tests.simulation.process import Process, Server
from tests.simulation.schedule import Fault
from tests.simulation.stores import RedisStore

if TYPE_CHECKING:
    from tests.simulation.world import World


async def play_fault(world: World, fault: Fault) -> None:
    """Wait for its moment, do it to whichever process lives there, and undo it."""
    await asyncio.sleep(fault.at_s)
    server = world.servers[fault.server]
    process = server.process
    if process.is_gone:
        return
    world.note_trouble(process, fault)
    match fault.kind:
        case "kill" | "lose_power" | "drain" | "hang":
            await _end_or_hang(world, server, process, fault)
        case "cut_log_requests" | "cut_log_answers" | "hang_log_requests":
            await _cut_log(process, fault)
        case "cut_provider" | "provider_unreachable":
            await _cut_provider(world, process, fault)
        case "reset_readers":
            for connection in list(process.connections):
                connection.reset()
        case "half_open_readers":
            for connection in list(process.connections):
                connection.lose()
        case "redis_restarts" | "redis_forgets":
            await _restart_redis(world, fault)
        case "set_clock":
            server.clock.offset_s += fault.amount_s
        case _:
            assert_never(fault.kind)
    world.trace.note("fault", f"{fault.kind} of {process.name} is over")


async def _end_or_hang(world: World, server: Server, process: Process, fault: Fault) -> None:
    if fault.kind == "hang":
        process.is_held = True
        await asyncio.sleep(fault.lasts_s)
        world.loop.let_go(process)
        return
    if fault.kind == "drain":
        world.loop.call_soon(process.stop, fault.amount_s, context=process.context)
        while not process.is_gone:
            await asyncio.sleep(0.5)
            world.note_trouble(process, fault)  # it hangs, perhaps, and drains afterwards
    else:
        process.kill(silently=fault.kind == "lose_power")
    await asyncio.sleep(fault.lasts_s)
    server.start()


async def _cut_log(process: Process, fault: Fault) -> None:
    link = process.log_connection
    match fault.kind:
        case "cut_log_requests":
            link.cut_off("requests")
        case "cut_log_answers":
            link.cut_off("answers")
        case _:
            link.cut_off("hanging")
    await asyncio.sleep(fault.lasts_s)
    link.mend()


async def _cut_provider(world: World, process: Process, fault: Fault) -> None:
    world.provider.cut(process)
    if fault.kind == "provider_unreachable":
        world.provider.unreachable_from.add(process.name)
        await asyncio.sleep(fault.lasts_s)
        world.provider.unreachable_from.discard(process.name)


async def _restart_redis(world: World, fault: Fault) -> None:
    assert isinstance(world.store, RedisStore)
    world.store.server.stop()
    await asyncio.sleep(fault.lasts_s)
    world.store.server.start(forgets_s=fault.amount_s + fault.lasts_s if fault.amount_s else 0.0)
