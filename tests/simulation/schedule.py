"""What a seed draws: who starts what, who reads how, and what goes wrong when.

A schedule is data. Two drawn from one seed are equal, and `describe` says in words
what will happen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, TypeAlias

from tests.simulation.provider import Ending, Script

FAULTS_END_S: Final = 30.0
"""From then on nothing goes wrong any more, and everything has to come to its end."""

FaultKind: TypeAlias = Literal[
    "kill",
    "lose_power",
    "hang",
    "cut_log_requests",
    "cut_log_answers",
    "hang_log_requests",
    "cut_provider",
    "provider_unreachable",
    "reset_readers",
    "half_open_readers",
    "set_clock",
    "drain",
    "redis_restarts",
    "redis_forgets",
]
LogKind: TypeAlias = Literal["memory", "redis"]

_FAULTS: Final[tuple[tuple[FaultKind, int], ...]] = (
    ("kill", 4),
    ("lose_power", 2),
    ("hang", 6),
    ("cut_log_requests", 3),
    ("cut_log_answers", 3),
    ("hang_log_requests", 3),
    ("cut_provider", 2),
    ("provider_unreachable", 1),
    ("reset_readers", 4),
    ("half_open_readers", 2),
    ("set_clock", 2),
    ("drain", 3),
)
_REDIS_FAULTS: Final[tuple[tuple[FaultKind, int], ...]] = (
    *_FAULTS,
    ("redis_restarts", 4),
    ("redis_forgets", 2),
)
_ENDINGS: Final[tuple[tuple[Ending, int], ...]] = (
    ("finish", 12),
    ("unended", 1),
    ("end_of_file", 1),
    ("break_off", 1),
    ("error", 1),
    ("silence", 2),
)
_TEXTS: Final = ("one ", "two, ", "drei ", "東京", "🙂", "naïve ", "\n", "a longer piece of text. ")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong."""

    at_s: float
    kind: FaultKind
    server: int
    lasts_s: float
    amount_s: float = 0.0
    """By how much a clock is set, how long a drain may take, or how much Redis forgets."""


@dataclass(frozen=True, slots=True)
class ReaderPlan:
    """One more reader of a run."""

    joins_after_s: float
    """Since the start was asked for."""
    kind: Literal["client", "event_source"]
    pause_chance: float
    pause_s: float
    leaves_after_s: float | None


@dataclass(frozen=True, slots=True)
class StartPlan:
    """One run: who starts it, what the model says, who reads it, who cancels it."""

    name: str
    at_s: float
    script: Script
    repeats_after_s: tuple[float, ...]
    """When the same start is sent again, with the same key, by another client."""
    starter: ReaderPlan
    readers: tuple[ReaderPlan, ...]
    cancels_after_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that is decided before it begins."""

    seed: int
    log: LogKind
    servers: int
    starts: tuple[StartPlan, ...]
    faults: tuple[Fault, ...]
    abandon_after_s: float | None

    @property
    def forgets(self) -> bool:
        """Tell whether the log loses what it had acknowledged."""
        return any(fault.kind == "redis_forgets" for fault in self.faults)

    def describe(self) -> Iterator[str]:
        """Yield what will happen, a line for each."""
        yield f"{self.servers} servers, runs nobody reads are given up after {self.abandon_after_s}"
        for start in self.starts:
            script = start.script
            yield (
                f"{start.name} at {start.at_s:.3f}: {len(script.pieces)} pieces in "
                f"{script.takes_s:.2f} s, then {script.ending}; "
                f"{1 + len(start.repeats_after_s)} starters, {len(start.readers)} more readers, "
                f"cancels after {[round(after_s, 3) for after_s in start.cancels_after_s]}"
            )
        for fault in self.faults:
            what = f"{fault.kind} of s{fault.server} for {fault.lasts_s:.2f} s"
            yield f"fault at {fault.at_s:.3f}: {what}"


def draw(seed: int, log: LogKind = "memory") -> Schedule:
    """Return the schedule of a seed."""
    random = Random(seed)
    servers = random.choice([1, 2, 2, 3])
    starts = tuple(
        _start(random, f"m{index}") for index in range(random.choice([1, 1, 1, 2, 2, 3]))
    )
    count = random.choice([0, 1, 1, 2, 2, 3, 5])
    faults = sorted(
        (_fault(random, log, servers, starts) for _ in range(count)), key=lambda fault: fault.at_s
    )
    return Schedule(
        seed=seed,
        log=log,
        servers=servers,
        starts=starts,
        faults=tuple(faults),
        abandon_after_s=random.choice([None, None, None, 4.0]),
    )


def _start(random: Random, name: str) -> StartPlan:
    script = _script(random, name)
    takes_s = script.takes_s
    cancels = random.choice([0, 0, 0, 1, 2])
    repeats = random.choice([0, 0, 0, 1, 2])
    return StartPlan(
        name=name,
        at_s=random.choice([0.0, random.random() * 4]),
        script=script,
        # Often at once: two starts at the same moment are the hard case.
        repeats_after_s=tuple(random.choice([0.0, random.random() * 3]) for _ in range(repeats)),
        starter=_reader(random, takes_s),
        readers=tuple(_reader(random, takes_s) for _ in range(random.choice([0, 1, 1, 2]))),
        cancels_after_s=tuple(random.random() * (takes_s + 0.5) for _ in range(cancels)),
    )


def _script(random: Random, name: str) -> Script:
    pace_s = random.choice([0.0, 0.005, 0.05, 0.3])
    burst = random.choice([0.0, 0.5])
    pieces = []
    for index in range(random.choice([0, 1, 3, 8, 20, 40])):
        wait_s = 0.0 if random.random() < burst else pace_s * random.random() * 2
        if random.random() < 0.03:
            wait_s = random.random() * 9
        pieces.append((wait_s, f"{name}.{index} {random.choice(_TEXTS)}"))
    return Script(
        pieces=tuple(pieces),
        ending=_weighted(random, _ENDINGS),
        ending_wait_s=random.choice([0.0, 0.01, 0.5]),
        opening_wait_s=random.choice([0.0, 0.1, 1.0]),
        refusals=random.choice([0, 0, 0, 0, 1, 2, 9]),
        is_usage_early=random.random() < 0.3,
    )


def _reader(random: Random, takes_s: float) -> ReaderPlan:
    is_slow = random.random() < 0.3
    return ReaderPlan(
        joins_after_s=random.random() * (takes_s + 2) * 1.2,
        kind=random.choice(["client", "event_source"]),
        pause_chance=0.3 if is_slow else 0.0,
        pause_s=random.choice([0.5, 6.0, 12.0]),
        leaves_after_s=random.random() * takes_s if random.random() < 0.2 else None,
    )


def _fault(random: Random, log: LogKind, servers: int, starts: tuple[StartPlan, ...]) -> Fault:
    kind = _weighted(random, _REDIS_FAULTS if log == "redis" else _FAULTS)
    at_s = random.random() * random.choice([2, 6, 12])
    if random.random() < 0.5:
        # In the middle of a run, most of which are short.
        start = random.choice(starts)
        at_s = start.at_s + random.random() * (start.script.takes_s + 0.5)
    at_s = min(at_s, FAULTS_END_S - 2)
    lasts_s = random.choice([0.05, 0.5, 2.0, 8.0, 16.0]) * (0.5 + random.random())
    amount_s = random.choice([-3600.0, -60.0, 60.0, 3600.0])
    if kind == "hang" and random.random() < 0.5:
        lasts_s = 2.5 + 3 * random.random()  # until about when others take its runs over
    if kind == "drain":
        amount_s = random.choice([0.0, 1.0, 5.0])
    if kind == "redis_forgets":
        amount_s = random.choice([0.01, 0.1, 1.0])
    elif kind == "redis_restarts":
        amount_s = 0.0
    lasts_s = min(lasts_s, FAULTS_END_S - at_s - 1)
    return Fault(at_s, kind, random.randrange(servers), lasts_s, amount_s)


def _weighted(random: Random, choices: tuple[tuple[str, int], ...]) -> str:
    names = [name for name, _ in choices]
    return random.choices(names, [weight for _, weight in choices])[0]
