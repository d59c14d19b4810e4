"""Random histories of a log: what happens to one, step by step.

`log_model` plays them. Knows the steps, and no log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Struct

from tickertape.core.events import CancelledBy, Event, TextDelta, ToolCallDelta
from tickertape.testing.log_probes import RETENTION_S, TERM_S, every_kind_of_event


class Start(Struct, frozen=True):
    """Start a run; a key is one of a few."""

    owner: str | None
    key: str | None
    fingerprint: str
    holder: str | None = None


class Add(Struct, frozen=True):
    """Append the events, `times` times over, to the run of that number."""

    run: int
    events: Sequence[Event]
    times: int
    behind: int
    """How many epochs the writer is late: 0 is the run's own, -1 one that never was."""


class End(Struct, frozen=True):
    """End the run."""

    run: int


class Read(Struct, frozen=True):
    """Read the run from a cursor, given in parts of its length."""

    run: int
    part: float
    limit: int


class NoteRead(Struct, frozen=True):
    """Note that somebody reads the run."""

    run: int


class Cancel(Struct, frozen=True):
    """Request cancel."""

    run: int
    by: CancelledBy


class Renew(Struct, frozen=True):
    """Renew the holder's lease for `TERM_S`."""

    holder: str


class Release(Struct, frozen=True):
    """Release the holder's lease."""

    holder: str


class TakeOver(Struct, frozen=True):
    """Take the run over, knowing its epoch or another."""

    run: int
    holder: str
    behind: int


class Pass(Struct, frozen=True):
    """Let time pass, and start a run of no further interest, which makes logs trim."""

    seconds: float


class Crash(Struct, frozen=True):
    """Kill the log's process, where a log survives that, and open it again."""


Action: TypeAlias = Start | Add | End | Read | NoteRead | Cancel | Renew | Release | TakeOver | Pass
Step: TypeAlias = Action | Crash
History: TypeAlias = Sequence[Step]

_numbers = st.integers(0, 3)
_texts = st.text(max_size=12)
_holders = st.sampled_from("ab")
_behind = st.sampled_from([0, 0, 0, 0, 0, 0, 1, -1])
_events: SearchStrategy[Event] = (
    st.builds(TextDelta, _texts)
    | st.builds(TextDelta, _texts, st.integers(0, 1))
    | st.builds(ToolCallDelta, index=st.integers(0, 1), arguments=_texts)
    | st.sampled_from(every_kind_of_event())
)
_starts = st.builds(
    Start,
    st.sampled_from([None, "", "ann"]),
    st.sampled_from([None, None, "k", "l"]),
    st.sampled_from(["f", "f", "g"]),
    st.none() | _holders,
)
_adds = st.builds(
    Add,
    _numbers,
    st.lists(_events, min_size=1, max_size=4),
    # Enough, at times, to make a log store what it holds in another way.
    st.sampled_from([1, 1, 1, 1, 30, 150]),
    _behind,
)
_reads = st.builds(
    Read, _numbers, st.floats(0, 1) | st.sampled_from([0.0, 1.0, 1.5]), st.integers(1, 600)
)
_cancels = st.builds(Cancel, _numbers, st.sampled_from(["user", "abandoned", "shutdown"]))
_take_overs = st.builds(TakeOver, _numbers, _holders, _behind)
_passes = st.builds(
    Pass,
    st.sampled_from([1.0, TERM_S - 1, TERM_S, RETENTION_S / 2, RETENTION_S - 1, RETENTION_S + 1]),
)
_seldom = st.one_of(
    st.builds(End, _numbers),
    _cancels,
    st.builds(NoteRead, _numbers),
    st.builds(Release, _holders),
    st.builds(Crash),
)
_steps: SearchStrategy[Step] = st.one_of(
    _adds,
    _adds,
    _adds,
    _adds,
    _reads,
    _reads,
    _starts,
    _take_overs,
    _take_overs,
    st.builds(Renew, _holders),
    _passes,
    _seldom,
    _seldom,
)


def histories() -> SearchStrategy[History]:
    """Return random histories of a log, the first step a start."""
    first = st.builds(
        Start, st.none(), st.sampled_from([None, "k"]), st.just("f"), st.sampled_from([None, "a"])
    )
    rest = st.lists(_steps, min_size=5, max_size=50)
    return st.builds(lambda step, steps: [step, *steps], first, rest)
