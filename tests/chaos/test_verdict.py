"""The verdict finds what may not be: one planted fault each."""

from __future__ import annotations

import pytest

from tests.chaos.reading import Reading
from tests.chaos.runs import PlannedRun
from tests.chaos.verdict import kept, mismatches, mismatches_after_loss
from tickertape.core.events import (
    RunEnded,
    RunError,
    RunStarted,
    TextDelta,
    Timings,
)
from tickertape.testing.faults import Faults

RUN = PlannedRun(
    number=7,
    start_s=0.0,
    pieces=("one ", "two ", "three "),
    faults=Faults(),
    readers=(),
    cancel_after_s=None,
)
STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=0.0)
PIECES = [TextDelta(piece) for piece in RUN.pieces]


def end(text=RUN.text, *, outcome="completed", code=None, by=None):
    error = None if code is None else RunError(code=code, message="No.", is_retryable=True)
    return RunEnded(
        outcome=outcome,
        length=len(text),
        timings=Timings(first_progress_s=None, duration_s=0.0),
        error=error,
        cancelled_by=by,
    )


GOOD = [STARTED, *PIECES, end()]
LOST = [STARTED, *PIECES[:2], end("one two ", outcome="failed", code="producer_lost")]


def read(text=RUN.text, *, ending="completed", run_id="r", trouble="", reader="late"):
    return Reading(run=7, reader=reader, run_id=run_id, text=text, ending=ending, trouble=trouble)


def verdict(events, *readings, asked=1):
    log = {} if events is None else {7: kept("r", events)}
    return list(mismatches([RUN], log=log, readings=readings, asked={"run-7": asked}))


@pytest.mark.parametrize(
    ("events", "reading"),
    [(GOOD, read()), (LOST, read("one two ", ending="failed"))],
    ids=["whole", "lost with its server"],
)
def test_it_finds_nothing_where_all_is_well(events, reading):
    """The reader has the log's text and end, which is what the provider sent, or its beginning."""
    assert [] == verdict(events, reading)


@pytest.mark.parametrize(
    ("events", "found"),
    [
        (None, "it is not in the log"),
        (GOOD[:-1], "has 0 ends"),
        ([*GOOD, end()], "has 2 ends"),
        ([STARTED, PIECES[0], end("one "), *PIECES[1:]], "has 1 ends"),
        ([STARTED, PIECES[0], PIECES[0], *PIECES[1:], end()], "not what the provider sent"),
        ([STARTED, PIECES[0], PIECES[2], end("one three ")], "not what the provider sent"),
        ([STARTED, *PIECES[:2], end("one two ")], "is completed, but has 8 of 14 characters"),
        ([STARTED, *PIECES[:2], end(outcome="failed", code="stalled")], "says 14 characters"),
    ],
    ids=["unknown", "open", "two ends", "goes on", "repeated", "dropped", "short", "length"],
)
def test_it_finds_what_is_wrong_with_a_run(events, found):
    """An end is missing or there are two, or the text is not what the provider sent."""
    assert found in verdict(events)[0]


@pytest.mark.parametrize("asked", [0, 2])
def test_p7_it_finds_a_provider_that_was_asked_otherwise_than_once(asked):
    """Once for each idempotency key."""
    assert [f"run 7 (r): the provider was asked {asked} times, which must be once"] == verdict(
        GOOD, asked=asked
    )


@pytest.mark.parametrize(
    ("reading", "found"),
    [
        (read("one two two three "), "from character 8 on, 'two three ' stands in place of"),
        (read("one three "), "from character 4 on, 'three ' stands in place of 'two three '"),
        (read("one two "), "from character 8 on, '' stands in place of 'three '"),
        (read(ending="failed"), "failed, 14 characters"),
        (read(ending="open"), "but the log says completed"),
        (read(run_id="other"), "but the run is r"),
        (read(trouble="hung: not done after 60 s"), "hung: not done after 60 s; the log has it"),
        (read(reader="cancel", trouble="the cancel was acknowledged, but …"), "acknowledged"),
    ],
    ids=["repeated", "dropped", "short", "failed", "open", "another run", "hung", "cancel"],
)
def test_it_finds_what_is_wrong_with_a_reader(reading, found):
    """It has another text than the log, was told another end, or none."""
    [sentence] = verdict(GOOD, reading)
    assert found in sentence


@pytest.mark.parametrize(
    "reading",
    [read(), read("one "), read("one ", ending="open", trouble="RecordsLost: read it again")],
    ids=["has more", "has less", "was told"],
)
def test_after_a_loss_readers_may_have_more_or_less_than_the_log(reading):
    """They read before it, or were told of it."""
    if reading.text != RUN.text:
        reading.ending = "failed"
    log = {7: kept("r", LOST)}
    assert [] == list(mismatches_after_loss([RUN], log=log, readings=[reading]))


@pytest.mark.parametrize(
    ("events", "reading", "found"),
    [
        (LOST[:-1], None, "has 0 ends"),
        (LOST, read("one two two ", ending="failed"), "it is not what was sent"),
        (LOST, read("one ", ending="completed"), "that is not all"),
        (LOST, read("one ", ending="open", trouble="hung: not done after 45 s"), "hung"),
    ],
    ids=["open", "two histories", "short", "hung"],
)
def test_p1_p2_after_a_loss_the_rest_must_be_of_one_piece(events, reading, found):
    """A run has an end, and nobody reads text of two histories or waits for ever."""
    readings = [] if reading is None else [reading]
    log = {7: kept("r", events)}
    [sentence] = mismatches_after_loss([RUN], log=log, readings=readings)
    assert found in sentence
