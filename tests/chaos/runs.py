"""What happens in a storm, before the weather: runs, what each is told, and who reads it when.

Pure: chance is passed in, so that a seed gives the same runs again.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from tickertape.testing.faults import EndOfFile, Faults, Reset, StreamError

ReaderKind: TypeAlias = Literal[
    "start",  # our Python reader starts the run and reads it
    "post",  # the start is posted again and again until its answer arrives; nothing is read
    "again",  # our Python reader starts it once more, under the same idempotency key
    "late",  # our Python reader joins it by its id
    "document",  # takes the run as a JSON document, and goes on from its cursor
    "curl",  # `curl -N`, and a loop that resumes it
]

JOINING: Final[tuple[ReaderKind, ...]] = ("again", "late", "document", "curl")

# One- to four-byte UTF-8, so that a cut anywhere meets the middle of a character.
_SOUNDS: Final = ("tape", "naïve", "東京", "🙂", "tick")


class PlannedReader(Struct, frozen=True):
    """Somebody who reads a run."""

    kind: ReaderKind
    after_s: float
    """When it comes, counted from the run's start."""


class PlannedRun(Struct, frozen=True, kw_only=True):
    """One run: what the provider will say, and what is done to it."""

    number: int
    start_s: float
    """When it is started, counted from the storm's begin."""
    pieces: tuple[str, ...]
    faults: Faults
    readers: tuple[PlannedReader, ...]
    """The first one starts it."""
    cancel_after_s: float | None

    @property
    def model(self) -> str:
        """The name under which the provider knows what to say."""
        return f"run-{self.number}"

    @property
    def text(self) -> str:
        """All that the provider has to say."""
        return "".join(self.pieces)

    @property
    def key(self) -> str:
        """The idempotency key of every start."""
        return f"key-{self.number}"


def plan_runs(chance: Random, *, count: int, spread_s: float) -> list[PlannedRun]:
    """Return `count` runs that start within `spread_s`, in the order of their starts."""
    starts = sorted(chance.uniform(0, spread_s) for _ in range(count))
    return [_plan_run(chance, number, start_s) for number, start_s in enumerate(starts)]


def plan_warm_up(count: int) -> list[PlannedRun]:
    """Return short runs, all at once, for a time without faults. Their numbers are below 0."""
    readers = (PlannedReader("start", 0.0), PlannedReader("late", 0.0), PlannedReader("curl", 0.0))
    return [
        PlannedRun(
            number=number,
            start_s=0.0,
            pieces=tuple(_pieces(number, 100)),
            faults=Faults(chunks_per_write=10, pace_s=0.05),
            readers=readers,
            cancel_after_s=None,
        )
        for number in range(-count, 0)
    ]


def _plan_run(chance: Random, number: int, start_s: float) -> PlannedRun:
    words = chance.randint(200, 600)
    lasts_s = chance.uniform(2, 6)
    per_write = chance.choice((1, 2, 4, 8))
    return PlannedRun(
        number=number,
        start_s=start_s,
        pieces=tuple(_pieces(number, words)),
        faults=Faults(
            chunks_per_write=per_write,
            pace_s=lasts_s * per_write / words,
            failure=_failure(chance, words),
        ),
        readers=tuple(_readers(chance, lasts_s)),
        cancel_after_s=chance.uniform(0, lasts_s) if chance.random() < 0.12 else None,
    )


def _pieces(number: int, words: int) -> Iterator[str]:
    """Yield words of which no two are alike, in this run or any other."""
    for at in range(words):
        yield f"{_SOUNDS[at % len(_SOUNDS)]}{number}.{at} "


def _failure(chance: Random, words: int) -> Reset | EndOfFile | StreamError | None:
    if chance.random() > 0.1:
        return None
    # After the first event nothing is tried again, so that the provider is asked once.
    after_chunks = chance.randint(5, words)
    return chance.choice(
        (
            Reset(after_chunks=after_chunks),
            EndOfFile(after_chunks=after_chunks),
            StreamError(after_chunks=after_chunks),
        )
    )


def _readers(chance: Random, lasts_s: float) -> Iterator[PlannedReader]:
    yield PlannedReader(chance.choice(("start", "start", "post")), 0.0)
    yield PlannedReader("curl", chance.uniform(0, lasts_s))
    for _ in range(chance.randint(1, 3)):
        # Some come when it is over.
        yield PlannedReader(chance.choice(JOINING), chance.uniform(0, lasts_s * 1.3))
