"""The display: every text once and in order, evenly, in frames, and all of it at the end."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from tickertape.cli.display import show_evenly
from tickertape.client.text_stream import AsyncTextStream
from tickertape.core.errors import RunFailed
from tickertape.core.events import (
    ReasoningDelta,
    RunEnded,
    RunError,
    RunStarted,
    TextDelta,
    Timings,
)

pytestmark = pytest.mark.virtual_time

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=0.0)
FRAME_S = 0.05
BURST = "abcdefghijklmnopqrst"


def ended(outcome="completed", **fields):
    timings = Timings(first_progress_s=0.0, duration_s=0.0)
    return RunEnded(outcome=outcome, length=0, timings=timings, **fields)


class TimedSource:
    """A source whose batches come at their times."""

    detail = ""

    def __init__(self, *batches):
        self._batches = list(batches)
        self._loop = asyncio.get_running_loop()

    async def next(self):
        at_s, events = self._batches.pop(0)
        await asyncio.sleep(at_s - self._loop.time())
        return events

    async def open(self):
        yield self


class Notes:
    """A screen that writes down what it is shown, and when."""

    def __init__(self):
        self.shown = []
        self._loop = asyncio.get_running_loop()

    def think(self, text):
        self.shown.append((self._loop.time(), "thought", text))

    def write(self, text):
        self.shown.append((self._loop.time(), "text", text))

    def of(self, kind):
        return [(at_s, text) for at_s, each, text in self.shown if each == kind]


async def show(*batches):
    """Show batches; return what the screen was given."""
    notes = Notes()
    stream = AsyncTextStream(TimedSource(*batches).open)
    try:
        await show_evenly(stream, notes, frame_s=FRAME_S)
    except RunFailed:
        assert stream.response.outcome == "failed"
    return notes


def bursts(*, times_s):
    return [(at_s, [TextDelta(BURST)]) for at_s in times_s]


async def test_a_burst_is_spread():
    """It comes at once and is shown bit by bit, before the next one comes."""
    first, *others = bursts(times_s=[0.2, 0.4])
    notes = await show((0, [STARTED, TextDelta(BURST)]), first, *others, (0.6, [ended()]))
    second = [(at_s, text) for at_s, text in notes.of("text") if 0.2 <= at_s < 0.4]
    assert len(second) > 2
    assert all(len(text) < len(BURST) for _, text in second)


async def test_all_of_it_is_shown_once_and_in_order():
    """Whatever the frames."""
    notes = await show((0, [STARTED]), *bursts(times_s=[0.1, 0.15, 0.9]), (1.0, [ended()]))
    assert BURST * 3 == "".join(text for _, text in notes.of("text"))


async def test_the_first_text_is_shown_at_once():
    """Whole: nobody waits for it."""
    notes = await show((3, [STARTED, TextDelta("Hel"), TextDelta("lo")]), (9, [ended()]))
    assert [(3, "Hello")] == notes.of("text")


async def test_no_two_frames_are_closer_than_a_screen_can_take():
    """But for the last one, which brings the rest."""
    tokens = [(n / 50, [TextDelta(f"{n} ")]) for n in range(1, 60)]
    notes = await show((0, [STARTED]), *tokens, (2, [ended()]))
    times_s = [at_s for at_s, _ in notes.of("text")]
    assert all(after - before >= FRAME_S - 1e-9 for before, after in pairwise(times_s[:-1]))
    assert len(times_s) < len(tokens)


async def test_the_rest_is_shown_at_the_end():
    """At once, with the end of the run."""
    notes = await show((0, [STARTED, TextDelta("a")]), (1, [TextDelta(BURST), ended()]))
    assert [(0, "a"), (1, BURST)] == notes.of("text")


async def test_thoughts_are_another_text():
    """All of them are shown before the answer begins."""
    thoughts = [(n / 10, [ReasoningDelta(BURST)]) for n in range(1, 4)]
    notes = await show((0, [STARTED]), *thoughts, (0.35, [TextDelta("So")]), (1, [ended()]))
    assert BURST * 3 == "".join(text for _, text in notes.of("thought"))
    kinds = [kind for _, kind, _ in notes.shown]
    assert ["thought", "text"] == sorted(set(kinds), key=kinds.index)
    assert kinds == sorted(kinds, key=["thought", "text"].index)


async def test_other_choices_are_not_shown():
    """A screen has one answer."""
    events = [STARTED, TextDelta("a"), TextDelta("x", 1), ReasoningDelta("hm", 1)]
    notes = await show((0, events), (1, [ended()]))
    assert [(0, "text", "a")] == notes.shown


async def test_after_a_failure_nothing_more_is_shown():
    """The screen may be gone by then: no timer is left."""
    failure = ended("failed", error=RunError(code="truncated", message="The answer broke off."))
    notes = await show((0, [STARTED, TextDelta("a")]), (1, [TextDelta(BURST), failure]))
    before = list(notes.shown)
    await asyncio.sleep(1)
    assert before == notes.shown


async def test_a_cancelled_wait_leaves_no_timer():
    """As after Ctrl-C."""
    notes = Notes()
    stream = AsyncTextStream(
        TimedSource((0, [STARTED, TextDelta("a")]), (1, [TextDelta(BURST)]), (9, [ended()])).open
    )
    showing = asyncio.ensure_future(show_evenly(stream, notes, frame_s=FRAME_S))
    await asyncio.sleep(1.01)
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)
    before = list(notes.shown)
    await asyncio.sleep(1)
    assert before == notes.shown
