"""The promises, held against what happened in one schedule.

Each check yields a sentence for each way in which its promise was broken; it begins
with the promise's number. Knows no code that is tested: only the log's records, what
the provider sent, and what readers were given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.simulation.provider import Opening
from tests.simulation.readers import Reading
from tests.simulation.world import Cancel, World
from tickertape.client.http import CursorRefused
from tickertape.core.cursor import parse_cursor
from tickertape.core.errors import RecordsLost, UnknownRun
from tickertape.core.events import (
    ErrorCode,
    RunEnded,
    RunStarted,
    TextDelta,
    Usage,
    UsageReported,
)
from tickertape.core.record import Record

RECOVERY_S: Final = 40.0
"""How long anything may take after the last fault: a lease, the log's retries, a deadline."""

LINGERS_S: Final = 5.0
"""How long something may still go wrong because something was wrong before."""

_HARMLESS: Final = {"reset_readers", "half_open_readers", "set_clock"}
"""No run may notice these."""

_LOG_FAULTS: Final = {
    "cut_log_requests",
    "cut_log_answers",
    "hang_log_requests",
    "redis_restarts",
    "redis_forgets",
}
_SCRIPTED: Final[dict[str, set[ErrorCode]]] = {
    "finish": set(),
    "unended": set(),
    "end_of_file": {"truncated"},
    "break_off": {"truncated"},
    "error": {"provider_failed"},
    "silence": {"stalled", "timed_out"},
}


class Run:
    """One run, with everything that is known of it."""

    def __init__(self, world: World, run_id: str, records: list[Record]) -> None:
        self.run_id = run_id
        self.records = records
        started = records[0].event
        assert isinstance(started, RunStarted)
        self.start = started.model
        self.script = world.provider.scripts[self.start]
        self.openings = [each for each in world.provider.openings if each.name == self.start]
        self.readings = [each for each in world.history.readings if each.run_id == run_id]
        self.cancels = [each for each in world.history.cancels if each.start == self.start]
        ends = [record for record in records if isinstance(record.event, RunEnded)]
        self.ends = ends
        self.text = "".join(
            [record.event.text for record in records if isinstance(record.event, TextDelta)]
        )
        # How much text there is up to each record.
        self.lengths: dict[int, int] = {}
        length = 0
        for record in records:
            if isinstance(record.event, TextDelta):
                length += len(record.event.text)
            self.lengths[record.offset] = length

    @property
    def ended(self) -> RunEnded:
        """Return its one end; `p2_one_end` has seen to it that there is one."""
        event = self.ends[-1].event
        assert isinstance(event, RunEnded)
        return event

    @property
    def spoken(self) -> Opening | None:
        """Return the opening whose text it is: the longest, where the log forgot a start."""
        spoken = [each for each in self.openings if each.sent or each.has_finished]
        return max(spoken, key=lambda each: (each.has_finished, len(each.sent)), default=None)


def broken_promises(world: World) -> list[str]:
    """Return what went wrong: nothing, if all promises were kept."""
    found = list(world.history.failures)
    if any(each.startswith("P5") for each in found):
        return found  # it was broken off in the middle: the rest would only repeat it
    runs = [
        Run(world, run_id, records) for run_id, records in world.store.records().items() if records
    ]
    if not world.schedule.forgets:
        found += _p7_started_once(world, runs)
    for run in runs:
        found += [f"{run.run_id}: {each}" for each in _of_run(world, run)]
    for reading in world.history.readings:
        found += [f"{reading.name}: {each}" for each in _of_reading(world, reading)]
    for cancel in world.history.cancels:
        found += [f"cancel of {cancel.start}: {each}" for each in _of_cancel(world, cancel)]
    return found


def _of_run(world: World, run: Run) -> Iterator[str]:
    if len(run.ends) != 1 or run.records[-1] is not run.ends[0]:
        kinds = [type(record.event).__name__ for record in run.records]
        yield f"P2: it has {len(run.ends)} ends: {kinds}"
        return
    yield from _p1_text_is_the_providers(run)
    yield from _p2_outcome_is_true(world, run)
    yield from _p4_cancel_is_not_forgotten(world, run)
    yield from _p6_nothing_waited(world, run)
    yield from _p9_accounted(world, run)
    for reading in run.readings:
        if world.schedule.forgets and not _must_be_the_logs(world, reading):
            continue
        yield from _p1_reading_is_the_logs(run, reading)


def _p1_text_is_the_providers(run: Run) -> Iterator[str]:
    offsets = [record.offset for record in run.records]
    if offsets != list(range(len(offsets))):
        yield f"P1: its offsets are {offsets}"
    sent = run.spoken.text if run.spoken else ""
    if run.ended.outcome == "completed" and run.text != sent:
        yield f"P1: it completed with {run.text!r}, and the model had said {sent!r}"
    elif not sent.startswith(run.text):
        yield f"P1: it has {run.text!r}, and the model had said {sent!r}"
    if run.ended.length != len(run.text):
        yield f"P1: its length is {len(run.text)}, and its end says {run.ended.length}"


def _p2_outcome_is_true(world: World, run: Run) -> Iterator[str]:
    ended, spoken = run.ended, run.spoken
    troubles = _troubles(world, run)
    match ended.outcome:
        case "completed":
            if spoken is None or not spoken.has_finished:
                yield "P2: it completed, and the model had not finished"
        case "cancelled":
            if ended.cancelled_by == "user" and not run.cancels:
                yield "P2: it was cancelled by a user, and none had asked"
            if ended.cancelled_by == "shutdown" and not troubles & {"drain", *_LOG_FAULTS}:
                yield "P2: it was cancelled by a shutdown, and there was none"
            if ended.cancelled_by == "abandoned" and world.schedule.abandon_after_s is None:
                yield "P2: it was abandoned, and nobody had allowed that"
        case "failed":
            code = ended.error.code if ended.error else None
            if code not in _possible(run, troubles):
                yield f"P2: it failed as {code} ({run.script.ending}, {sorted(troubles)})"
    is_calm = not troubles and not run.cancels and world.schedule.abandon_after_s is None
    is_good = run.script.ending in {"finish", "unended"} and run.script.refusals <= 2
    if is_calm and is_good and ended.outcome != "completed":
        yield f"P2: nothing was wrong, and it {ended.outcome} ({ended.error})"


def _possible(run: Run, troubles: set[str]) -> set[ErrorCode]:
    """Return the errors that tell the truth about what happened to a run."""
    possible = set(_SCRIPTED[run.script.ending])
    if run.script.refusals:
        possible.add("rate_limited")
    if any(opening.was_cut for opening in run.openings):
        possible.add("truncated")
    if "provider_unreachable" in troubles:
        possible.add("provider_unreachable")
    if troubles & {"kill", "lose_power", "hang", "drain", *_LOG_FAULTS}:
        possible.add("producer_lost")
    if "hang" in troubles:
        possible |= {"stalled", "timed_out"}
    if troubles & _LOG_FAULTS:
        possible |= {"internal", "stalled", "timed_out"}
    return possible


def _troubles(world: World, run: Run) -> set[str]:
    """Return what was wrong with any process while the run lasted, or shortly before."""
    begin_s = _stored_at_s(world, run, run.records[0]) - LINGERS_S
    end_s = _stored_at_s(world, run, run.records[-1])
    return {
        kind
        for troubles in world.history.troubles.values()
        for from_s, upto_s, kind in troubles
        if begin_s <= upto_s and from_s <= end_s and kind not in _HARMLESS
    }


def _p4_cancel_is_not_forgotten(world: World, run: Run) -> Iterator[str]:
    """Who takes a run over does what its writer was asked to do."""
    asked_at_s = world.journal.cancelled_at_s.get(run.run_id)
    taken_at_s = world.journal.taken_over_at_s.get(run.run_id)
    if asked_at_s is None or taken_at_s is None or taken_at_s < asked_at_s:
        return
    if world.schedule.forgets:
        return
    if run.ended.outcome == "failed":
        yield f"P4: a cancel was asked for at {asked_at_s:.1f}, taken over at {taken_at_s:.1f}"


def _stored_at_s(world: World, run: Run, record: Record) -> float:
    return world.journal.stored_at_s[run.run_id, record.offset]


def _p6_nothing_waited(world: World, run: Run) -> Iterator[str]:
    """What the model said was in the log soon, whatever readers did."""
    if _troubles(world, run) or run.spoken is None or world.schedule.forgets:
        return
    lengths = iter(
        [
            (_stored_at_s(world, run, record), run.lengths[record.offset])
            for record in run.records
            if isinstance(record.event, TextDelta)
        ]
    )
    stored_at_s, stored = 0.0, 0
    length = 0
    for sent_at_s, text in run.spoken.sent:
        length += len(text)
        while stored < length:
            following = next(lengths, None)
            if following is None:
                return  # it was cancelled before
            stored_at_s, stored = following
        if stored_at_s - sent_at_s > world.prompt_s:
            yield f"P6: {text!r} was in the log after {stored_at_s - sent_at_s:.1f} s"


def _p9_accounted(world: World, run: Run) -> Iterator[str]:
    timings = run.ended.timings
    longest_s = world.loop.time()
    if world.schedule.log == "redis":
        # Its records bear the time of the process that wrote them.
        longest_s += sum(
            abs(fault.amount_s) for fault in world.schedule.faults if fault.kind == "set_clock"
        )
    if not 0 <= (timings.first_progress_s or 0) <= timings.duration_s <= longest_s:
        yield f"P9: its timings are {timings}"
    usage: Usage | None = None
    for record in run.records:
        if isinstance(record.event, UsageReported):
            usage = record.event.usage
    # A report that came when the log could not be written may be in the end all the same.
    reported = run.spoken.usage if run.spoken else []
    later = reported[reported.index(usage) + 1 :] if usage in reported else reported
    if run.ended.usage != usage and run.ended.usage not in later:
        yield f"P9: its usage was {usage}, and its end says {run.ended.usage}"


def _p1_reading_is_the_logs(run: Run, reading: Reading) -> Iterator[str]:
    before = -1
    for block_id, length in reading.steps:
        cursor = parse_cursor(block_id)
        assert cursor is not None
        offset = cursor.offset
        expected = run.lengths.get(offset)
        if expected != length or run.records[offset].epoch != cursor.epoch:
            yield f"P1: at {block_id} {reading.name} had {length} characters, not {expected}"
            return
        if offset < before:
            yield f"P1: {reading.name} went back from {before} to {offset}"
        before = offset
    if not run.text.startswith(reading.text):
        yield f"P1: {reading.name} has {reading.text!r}, and the log {run.text!r}"
    if reading.ended is not None and (reading.text, reading.ended.outcome) != (
        run.text,
        run.ended.outcome,
    ):
        yield f"P1: {reading.name} ended {reading.ended.outcome} with {reading.text!r}"


def _of_reading(world: World, reading: Reading) -> Iterator[str]:
    if not reading.is_over:
        yield "P5: it is not over"
    elif reading.error is not None and not _was_told_of_loss(world, reading):
        yield f"P1: it gave up: {type(reading.error).__name__}: {reading.error}"
    if world.schedule.forgets:
        return
    if reading.run_id is not None and reading.run_id not in world.store.records():
        yield f"P3: it read {reading.run_id}, and the log has no such run"


def _must_be_the_logs(world: World, reading: Reading) -> bool:
    """Tell whether a reader saw its end after the log had lost what it lost.

    For a moment, a process may still give out what it remembers.
    """
    lost_at_s = max(
        upto_s
        for troubles in world.history.troubles.values()
        for _, upto_s, kind in [*troubles, (0.0, 0.0, "")]
        if kind in {"redis_forgets", ""}
    )
    return reading.ended is not None and reading.seen_at_s > lost_at_s + LINGERS_S


def _was_told_of_loss(world: World, reading: Reading) -> bool:
    return world.schedule.forgets and isinstance(
        reading.error, RecordsLost | UnknownRun | CursorRefused
    )


def _p7_started_once(world: World, runs: list[Run]) -> Iterator[str]:
    for start in world.schedule.starts:
        mine = [run.run_id for run in runs if run.start == start.name]
        if len(mine) > 1:
            yield f"P7: {start.name} became {mine}"
        openings = [each for each in world.provider.openings if each.name == start.name]
        answers = [each for each in openings if not each.is_refused]
        spoken = [each for each in answers if each.sent or each.has_finished]
        if len(spoken) > 1:
            yield f"P7: the model was asked {len(spoken)} times for {start.name}"


def _of_cancel(world: World, cancel: Cancel) -> Iterator[str]:
    if cancel.error is not None and not world.schedule.forgets:
        yield f"P4: it was refused: {type(cancel.error).__name__}: {cancel.error}"
    if cancel.acknowledged_at_s is None or world.schedule.forgets:
        return  # where the key is forgotten, the same start becomes another run
    for opening in world.provider.openings:
        if opening.name != cancel.start:
            continue
        troubles = world.history.troubles.get(opening.process.name, [])
        upto_s = max([upto_s for _, upto_s, _ in troubles], default=0.0)
        is_calm = not any(world.history.troubles.values())
        limit_s = cancel.acknowledged_at_s + world.prompt_s
        if not is_calm:
            limit_s = max(cancel.acknowledged_at_s, upto_s) + RECOVERY_S
        if opening.closed_at_s is None or opening.closed_at_s > limit_s:
            yield (
                f"P4: it was acknowledged at {cancel.acknowledged_at_s:.1f}, and the model "
                f"stopped at {opening.closed_at_s}"
            )
