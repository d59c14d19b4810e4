"""A storm, from the first process to the verdict: real servers, readers and faults, by one seed.

Owns every process and task; all are gone when `blow` returns or raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

from msgspec import Struct

from tests.chaos.crowd import Crowd
from tests.chaos.havoc import DRAINS_WITHIN_S, Blow, Havoc, forecast
from tests.chaos.leftovers import come_to_rest, kept_for_ever, left_over, take_census_at_rest
from tests.chaos.provider import hang_up, provider_for, times_asked
from tests.chaos.proxy import Proxy
from tests.chaos.reading import Reading
from tests.chaos.redis import RedisServer, open_redis
from tests.chaos.report import Report
from tests.chaos.runs import PlannedRun, plan_runs, plan_warm_up
from tests.chaos.servers import Server, open_servers
from tests.chaos.verdict import Kept, kept, mismatches, mismatches_after_loss
from tickertape.core.errors import UnknownRun
from tickertape.core.record import BEGINNING
from tickertape.logs.base import EventLog
from tickertape.testing.fault_server import FaultServer
from tickertape.web.log_setting import open_log

_WARMS_UP_WITHIN_S: Final = 20.0
_ENDS_WITHIN_S: Final = 90.0
_TERMS_TO_END_LOST: Final = 3
_DRAIN_S: Final = "1"
_RUN_ID: Final = re.compile(r"[\w-]{22}")
_STAMP: Final = re.compile(r"^[\d-]+ [\d:,]+ ")


class Storm(Struct, frozen=True, kw_only=True):
    """How hard it blows, and for how long."""

    seed: int
    runs: int = 40
    spread_s: float = 15.0
    """Within which time the runs are started, and processes hit."""
    blow_every_s: float = 1.5
    servers: int = 3
    has_redis: bool = True
    """Else the log is a SQLite file, which allows one server only."""
    cut_share: float = 0.6
    """How many of all connections the proxy cuts."""
    cuts_power: bool = False
    """Let Redis lose what it had acknowledged, too; then less can be promised."""
    lease_s: float = 2.0
    hangs_after_s: float = 45.0
    """A reader that takes longer than this hangs."""
    warm_up_runs: int = 30


class WarmUpFailed(Exception):
    """Something is wrong already before anything was cut, killed or stopped."""


class _Scene(Struct, frozen=True):
    """Everything that takes part."""

    log: str
    redis: RedisServer | None
    provider: FaultServer
    servers: Sequence[Server]
    proxy: Proxy
    havoc: Havoc


async def blow(storm: Storm) -> Report:
    """Let it blow, and return what came of it. A seed gives the same plan again.

    Raises:
        WarmUpFailed: it can't even begin.
        TimeoutError: it did not come to an end, though every part of it has a deadline.
    """
    # Here, and not by the test's own limit: that would leave processes behind.
    async with asyncio.timeout(storm.spread_s + 2 * storm.hangs_after_s + _ENDS_WITHIN_S):
        return await _blow(storm)


async def _blow(storm: Storm) -> Report:
    begin = time.monotonic()
    chance = Random(storm.seed)
    warm_up = plan_warm_up(storm.warm_up_runs)
    runs = plan_runs(chance, count=storm.runs, spread_s=storm.spread_s)
    blows = forecast(
        chance,
        lasts_s=storm.spread_s + 3.0,
        every_s=storm.blow_every_s,
        servers=storm.servers,
        has_redis=storm.has_redis,
        lease_s=storm.lease_s,
        cuts_power=storm.cuts_power,
    )
    async with _opened(storm, [*warm_up, *runs], chance) as scene:
        crowd = Crowd(scene.proxy.url, hangs_after_s=_WARMS_UP_WITHIN_S)
        readings = await _warm_up(scene, crowd, warm_up)
        await hang_up(scene.provider)
        before = await take_census_at_rest(scene.servers, scene.redis)

        crowd.hangs_after_s = storm.hangs_after_s
        scene.proxy.share = storm.cut_share
        readings += await _read_in_havoc(scene, crowd, runs, blows)
        scene.proxy.share = 0.0

        for server in scene.servers:
            await server.ready()
        if storm.cuts_power:  # runs whose ends were lost are to be ended once more
            await asyncio.sleep(_TERMS_TO_END_LOST * storm.lease_s)
        await hang_up(scene.provider)
        after = await come_to_rest(before, scene.servers, scene.redis)
        wrong = [*left_over(before, after), *await _stop(scene.servers)]
        keys = await scene.redis.keys() if scene.redis is not None else Counter()
        async with open_log(scene.log) as log:
            found = await read_log(log, crowd.run_ids)
        asked = times_asked(scene.provider)
        complaints = _complaints(scene.servers)
    wrong += kept_for_ever(keys)
    if storm.cuts_power:
        wrong += mismatches_after_loss([*warm_up, *runs], log=found, readings=readings)
    else:
        wrong += mismatches([*warm_up, *runs], log=found, readings=readings, asked=asked)
    wrong += (f"{times} x {said}" for said, times in complaints.items() if "Traceback" in said)
    return Report(
        seed=storm.seed,
        took_s=time.monotonic() - begin,
        outcomes=Counter(f"{each.outcome or 'open'} {each.why}".strip() for each in found.values()),
        readings=tuple(readings),
        requests=asked.total(),
        proxy=scene.proxy.counts,
        blows=scene.havoc.counts,
        before=before,
        after=after,
        keys=keys,
        complaints=complaints,
        wrong=tuple(wrong),
    )


async def _warm_up(scene: _Scene, crowd: Crowd, runs: Sequence[PlannedRun]) -> list[Reading]:
    readings = await crowd.read_all(runs)
    if any(reading.trouble for reading in readings):
        raise WarmUpFailed(*map(str, readings), *_complaints(scene.servers))
    return readings


async def _read_in_havoc(
    scene: _Scene, crowd: Crowd, runs: Sequence[PlannedRun], blows: Sequence[Blow]
) -> list[Reading]:
    async with asyncio.TaskGroup() as group:
        group.create_task(scene.havoc.wreak(blows))
        reading = group.create_task(crowd.read_all(runs))
    return reading.result()


@asynccontextmanager
async def _opened(
    storm: Storm, runs: Sequence[PlannedRun], chance: Random
) -> AsyncIterator[_Scene]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="storm-")))
        redis = await stack.enter_async_context(open_redis(folder)) if storm.has_redis else None
        log = redis.url if redis is not None else f"sqlite:{folder}/log.db"
        provider = await stack.enter_async_context(provider_for(runs))
        servers = await stack.enter_async_context(
            open_servers(
                storm.servers,
                options=("--log", log, "--lease-term-s", str(storm.lease_s), "--drain-s", _DRAIN_S),
                environment=provider.openai_environment,
                folder=folder,
            )
        )
        ports = [server.port for server in servers]
        proxy = await stack.enter_async_context(Proxy(ports, chance=chance, share=0.0))
        yield _Scene(log, redis, provider, servers, proxy, Havoc(servers, redis))


async def _stop(servers: Sequence[Server]) -> list[str]:
    """Ask all servers to end, and return who did not."""
    wrong = []
    for server in servers:
        try:
            code = await server.terminate(within_s=DRAINS_WITHIN_S)
            if code != 0:
                wrong.append(f"{server.name} ended with the exit code {code}")
        except TimeoutError:
            wrong.append(f"{server.name} did not end within {DRAINS_WITHIN_S:g} s of SIGTERM")
    return wrong


async def read_log(log: EventLog, run_ids: Mapping[int, str]) -> dict[int, Kept]:
    """Return what the log holds of these runs, by their numbers; nothing where it has none."""
    found = {}
    for number, run_id in run_ids.items():
        with contextlib.suppress(UnknownRun):
            found[number] = await _read_run(log, run_id)
    return found


async def _read_run(log: EventLog, run_id: str) -> Kept:
    events = []
    after = BEGINNING
    while True:
        found = await log.read(run_id, after=after)
        events += [record.event for record in found.records]
        if not found.records:
            return kept(run_id, events)
        after = found.records[-1].offset


def _complaints(servers: Sequence[Server]) -> Counter[str]:
    """Return what the servers logged, without times and names of runs."""
    said: Counter[str] = Counter()
    for server in servers:
        for line in server.log_file.read_text(errors="replace").splitlines():
            if _STAMP.match(line) or "Error" in line or "Traceback" in line:
                said[_RUN_ID.sub("…", _STAMP.sub("", line))[:200]] += 1
    return said
