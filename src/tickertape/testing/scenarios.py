"""Which answer, with which faults, each request gets: `Scenario`, also from a JSON file.

Knows no protocol and no socket.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from tickertape.core.errors import ConfigurationError
from tickertape.testing.answers import Answer
from tickertape.testing.faults import Faults

_T = TypeVar("_T")


class Turn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one request gets."""

    answer: Answer = Answer()
    faults: Faults = Faults()


Turns: TypeAlias = Annotated[tuple[Turn, ...], Meta(min_length=1)]
"""One for each request, in order; the last one is for all that follow."""


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the requests get. Each list of turns counts its own requests."""

    turns: Turns = (Turn(),)
    models: dict[str, Turns] = {}
    """Turns for requests that name this model or deployment."""

    def __post_init__(self) -> None:
        if not self.turns or not all(self.models.values()):
            raise ConfigurationError("a scenario has a list without turns; give at least one")


Playable: TypeAlias = Scenario | Turn | Faults | Answer


def scenario_of(*playables: Playable) -> Scenario:
    """Return the scenario that plays these in turn: faults, answers, or both in a `Turn`.

    Raises:
        ConfigurationError: a whole scenario among others.
    """
    match playables:
        case ():
            return Scenario()
        case (Scenario() as scenario,):
            return scenario
        case _:
            return Scenario(turns=tuple(_turn_of(playable) for playable in playables))


def _turn_of(playable: Playable) -> Turn:
    match playable:
        case Turn():
            return playable
        case Faults():
            return Turn(faults=playable)
        case Answer():
            return Turn(answer=playable)
        case Scenario():
            raise ConfigurationError("a Scenario stands alone; give its turns instead")


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario from a JSON file.

    Raises:
        ConfigurationError: no such file, or not a scenario; says what and where.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read the scenario {str(path)!r}: {error}") from error
    return decode(data, Scenario, source=str(path))


def decode(data: bytes | str, kind: type[_T], *, source: str) -> _T:
    """Return the value that JSON from `source` describes.

    Raises:
        ConfigurationError: not JSON, or not such a value; says what and where.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{source}: {error}") from error


class ScenarioCursor:
    """Where a server is in its scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._taken: dict[str | None, int] = {}

    def next_turn(self, model: str) -> Turn:
        """Return what the next request for this model gets."""
        key = model if model in self.scenario.models else None
        turns = self.scenario.turns if key is None else self.scenario.models[key]
        taken = self._taken.get(key, 0)
        self._taken[key] = taken + 1
        return turns[min(taken, len(turns) - 1)]
