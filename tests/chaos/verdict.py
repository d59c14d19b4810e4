"""The verdict on a storm: what may not be, one sentence each.

Pure: it is given what was to be said, what the log kept and what was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from tests.chaos.reading import Reading
from tests.chaos.runs import PlannedRun
from tickertape.core.events import Event, Outcome, RunEnded, TextDelta

# What a reader may be told when records were lost: by our client, or by a status.
_LOST: Final = ("RecordsLost", "UnknownRun", "NotStarted", "status 400", "status 404", "status 409")


class Kept(Struct, frozen=True, kw_only=True):
    """What the log holds of a run."""

    run_id: str
    text: str
    ends: int
    """How many `RunEnded` there are."""
    is_last_the_end: bool
    outcome: Outcome | None
    why: str
    """The error's code, or by whom it was cancelled."""
    length: int
    """What the end says of the text's length."""


def kept(run_id: str, events: Sequence[Event]) -> Kept:
    """Return what these events, in the log's order, amount to."""
    ends = [event for event in events if isinstance(event, RunEnded)]
    last = ends[-1] if ends else None
    why = ""
    if last is not None:
        why = last.error.code if last.error is not None else last.cancelled_by or ""
    return Kept(
        run_id=run_id,
        text="".join(event.text for event in events if isinstance(event, TextDelta)),
        ends=len(ends),
        is_last_the_end=bool(events) and isinstance(events[-1], RunEnded),
        outcome=last.outcome if last is not None else None,
        why=why,
        length=last.length if last is not None else -1,
    )


def mismatches(
    runs: Sequence[PlannedRun],
    *,
    log: Mapping[int, Kept],
    readings: Sequence[Reading],
    asked: Mapping[str, int],
) -> Iterator[str]:
    """Yield what is wrong: with each run in the log, with each reader, and with the bill."""
    for run in runs:
        if run.number not in log:
            yield f"run {run.number}: it is not in the log"
        else:
            yield from _of_run(run, log[run.number], asked.get(run.model, 0))
    for reading in readings:
        if reading.run in log:
            yield from _of_reading(reading, log[reading.run])
        elif reading.trouble:
            yield f"{reading}; {reading.trouble}; the log was not read"


def mismatches_after_loss(
    runs: Sequence[PlannedRun], *, log: Mapping[int, Kept], readings: Sequence[Reading]
) -> Iterator[str]:
    """Yield what is wrong though the log lost what it had acknowledged, in the middle of it all.

    What it still has must be of one piece. A reader may have more than that, or be told
    that records, or the whole run, were lost; but it never has text of two histories.
    """
    planned = {run.number: run for run in runs}
    for number, each in log.items():
        yield from _of_run(planned[number], each, asked=1)
    for reading in readings:
        text = planned[reading.run].text
        if reading.trouble and not any(word in reading.trouble for word in _LOST):
            yield f"{reading}; {reading.trouble}"
        if not text.startswith(reading.text):
            yield f"{reading}; it is not what was sent: {_first_difference(text, reading.text)}"
        if reading.ending == "completed" and reading.text != text:
            yield f"{reading}; but that is not all"


def _of_run(run: PlannedRun, kept: Kept, asked: int) -> Iterator[str]:
    name = f"run {run.number} ({kept.run_id})"
    if kept.ends != 1 or not kept.is_last_the_end:
        yield f"{name} has {kept.ends} ends in the log, which must be one, and the last record"
    if not run.text.startswith(kept.text):
        difference = _first_difference(run.text, kept.text)
        yield f"{name}: the log is not what the provider sent; {difference}"
    if kept.ends and kept.length != len(kept.text):
        yield f"{name}: its end says {kept.length} characters, but it has {len(kept.text)}"
    if kept.outcome == "completed" and kept.text != run.text:
        yield f"{name} is completed, but has {len(kept.text)} of {len(run.text)} characters"
    if asked > 1 or (kept.text and not asked):
        yield f"{name}: the provider was asked {asked} times, which must be once"


def _of_reading(reading: Reading, kept: Kept) -> Iterator[str]:
    if reading.trouble:
        state = f"{kept.outcome or 'open'} with {len(kept.text)} characters"
        yield f"{reading}; {reading.trouble}; the log has it {state}"
        return
    if reading.run_id is not None and reading.run_id != kept.run_id:
        yield f"{reading}; but the run is {kept.run_id}"
    if reading.reader in {"post", "cancel"}:
        return
    if reading.ending != kept.outcome:
        yield f"{reading}; but the log says {kept.outcome}"
    if reading.text != kept.text:
        yield f"{reading}; it is not the log's text: {_first_difference(kept.text, reading.text)}"


def _first_difference(expected: str, actual: str) -> str:
    at = next(
        (at for at, pair in enumerate(zip(expected, actual, strict=False)) if pair[0] != pair[1]),
        min(len(expected), len(actual)),
    )
    at = expected.rfind(" ", 0, at) + 1  # whole words say more
    return (
        f"from character {at} on, {actual[at : at + 40]!r} stands in place of "
        f"{expected[at : at + 40]!r}"
    )
