"""The legal order of events, cell by cell, and what a run folds to."""

from __future__ import annotations

from typing import get_args

import pytest

from tickertape.core.errors import IllegalEvent
from tickertape.core.events import (
    AnswerStored,
    AttemptEnded,
    ChoiceFinished,
    Event,
    FilterReported,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunStarted,
    TextDelta,
    Timings,
    ToolCallDelta,
    UnknownEvent,
    Usage,
    UsageReported,
)
from tickertape.core.run_state import NEXT, Phase, RunState

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=1.0)
ENDED = RunEnded(
    outcome="completed", length=0, timings=Timings(first_progress_s=None, duration_s=1.0)
)
ONE_OF_EACH: list[Event] = [
    STARTED,
    AttemptEnded(provider="p", model="m", result="chosen", begun_s=0.0, ended_s=1.0),
    AnswerStored(provider="p", model="m", response_id="r"),
    TextDelta("a"),
    ReasoningDelta("a"),
    RefusalDelta("a"),
    ToolCallDelta(index=0),
    FilterReported(subject="prompt", annotations={}),
    UsageReported(Usage()),
    ChoiceFinished(finish_reason="stop", raw_finish_reason="stop"),
    ENDED,
    UnknownEvent("new", b'{"type":"new"}'),
]
LEADING_TO: dict[Phase, list[Event]] = {
    Phase.PENDING: [],
    Phase.RUNNING: [STARTED],
    Phase.ENDED: [STARTED, ENDED],
}


def phase_after(phase: Phase, event: Event) -> Phase | None:
    """Say the rules again, in other words than the table: None is illegal."""
    match phase:
        case Phase.PENDING:
            return Phase.RUNNING if event is STARTED else None
        case Phase.RUNNING if event is STARTED:
            return None
        case Phase.RUNNING:
            return Phase.ENDED if event is ENDED else Phase.RUNNING
        case Phase.ENDED:
            return None


def fold(*events: Event) -> RunState:
    """Return the state after the events."""
    state = RunState()
    for event in events:
        state.apply(event)
    return state


def by_type(value: object) -> str:
    return value.name if isinstance(value, Phase) else type(value).__name__


class TestOrder:
    def test_the_cells_below_are_all_there_are(self):
        """A new event or phase must get its cells, and its place in the table."""
        assert set(get_args(Event)) == {type(event) for event in ONE_OF_EACH}
        assert set(Phase) == set(NEXT) == set(LEADING_TO)

    @pytest.mark.parametrize("event", ONE_OF_EACH, ids=by_type)
    @pytest.mark.parametrize("phase", Phase, ids=by_type)
    def test_an_event_moves_the_run_on_or_is_refused(self, phase, event):
        """A run starts once, before all else, and nothing follows its end."""
        state = fold(*LEADING_TO[phase])
        assert phase is state.phase
        expected = phase_after(phase, event)
        if expected is None:
            with pytest.raises(IllegalEvent, match=f"{type(event).__name__} .* {phase.value}"):
                state.apply(event)
            assert phase is state.phase
        else:
            state.apply(event)
            assert expected is state.phase

    @pytest.mark.parametrize("event", ONE_OF_EACH, ids=by_type)
    def test_a_refused_event_leaves_no_trace(self, event):
        """What is illegal after the end changes neither text nor anything else."""
        state = fold(STARTED, TextDelta("a"), ENDED)
        with pytest.raises(IllegalEvent):
            state.apply(event)
        assert ("a", 1, [], None) == (state.text, state.length, state.filters, state.usage)
        assert [0] == list(state.choices)
        assert STARTED is state.started
        assert ENDED is state.ended


class TestFold:
    def test_nothing_has_happened_yet(self):
        """A run without events has no text, rather than an error."""
        state = RunState()
        assert (Phase.PENDING, None, "", 0, {}) == (
            state.phase,
            state.started,
            state.text,
            state.length,
            state.choices,
        )

    def test_deltas_of_one_part_are_joined_in_order(self):
        """Text, reasoning and refusal each have their own stretch."""
        state = fold(
            STARTED,
            TextDelta("a"),
            ReasoningDelta("x"),
            RefusalDelta("1"),
            TextDelta("b"),
            ReasoningDelta("y"),
            RefusalDelta("2"),
        )
        choice = state.choices[0]
        assert ("ab", "xy", "12") == (choice.text, choice.reasoning, choice.refusal)
        assert "ab" == state.text

    def test_choices_are_kept_apart(self):
        """With n > 1 the answers come interleaved, in any order."""
        state = fold(STARTED, TextDelta("b", 1), TextDelta("a"), TextDelta("B", 1))
        assert {0: "a", 1: "bB"} == {index: c.text for index, c in state.choices.items()}
        assert "a" == state.text

    def test_the_text_is_that_of_choice_0(self):
        """Another choice's text is no substitute for it."""
        assert "" == fold(STARTED, TextDelta("b", 1)).text

    def test_the_length_counts_code_points_of_all_answer_text(self):
        """An emoji is one, not the two of UTF-16; reasoning and refusals don't count."""
        state = fold(
            STARTED,
            TextDelta("a\U0001f600"),
            TextDelta("\u00e9", 1),
            ReasoningDelta("xyz"),
            RefusalDelta("no"),
            ToolCallDelta(index=0, arguments="{}"),
        )
        assert 3 == state.length

    def test_tool_calls_are_joined_by_choice_and_index(self):
        """The first fragment of a call names it; later ones add arguments only."""
        state = fold(
            STARTED,
            ToolCallDelta(index=0, id="c0", name="add", arguments=""),
            ToolCallDelta(index=1, id="c1", name="sub", arguments="[1"),
            ToolCallDelta(index=0, arguments='{"a"'),
            ToolCallDelta(index=1, arguments="]"),
            ToolCallDelta(index=0, arguments=":1}"),
            ToolCallDelta(index=0, id="d0", name="mul", arguments="2", choice=1),
        )
        calls = {
            (choice, index): (call.id, call.name, call.arguments)
            for choice, answer in state.choices.items()
            for index, call in answer.tool_calls.items()
        }
        assert {
            (0, 0): ("c0", "add", '{"a":1}'),
            (0, 1): ("c1", "sub", "[1]"),
            (1, 0): ("d0", "mul", "2"),
        } == calls

    def test_a_name_that_comes_late_or_twice_is_the_first_one_given(self):
        """Some providers repeat id and name with every fragment, some send them apart."""
        call = (
            fold(
                STARTED,
                ToolCallDelta(index=0, id="c"),
                ToolCallDelta(index=0, name="add"),
                ToolCallDelta(index=0, id="other", name="other"),
            )
            .choices[0]
            .tool_calls[0]
        )
        assert ("c", "add") == (call.id, call.name)

    @pytest.mark.parametrize("later", [ToolCallDelta(index=0), ToolCallDelta(index=0, name="")])
    def test_an_empty_name_is_none(self, later):
        """Whether or not more fragments follow it."""
        first = ToolCallDelta(index=0, id="", name="")
        call = fold(STARTED, first, later).choices[0].tool_calls[0]
        assert (None, None) == (call.id, call.name)
        named = fold(STARTED, first, later, ToolCallDelta(index=0, id="c", name="add"))
        assert "add" == named.choices[0].tool_calls[0].name

    def test_a_later_finish_replaces_an_earlier_one(self):
        """A filter may stop a choice that the model had finished."""
        finished = ChoiceFinished(finish_reason="stop", raw_finish_reason="eos")
        filtered = ChoiceFinished(
            finish_reason="content_filter", raw_finish_reason="content_filter"
        )
        other = ChoiceFinished(finish_reason="length", raw_finish_reason="max", choice=1)
        choices = fold(STARTED, finished, filtered, other).choices
        assert ("content_filter", "content_filter") == (
            choices[0].finish_reason,
            choices[0].raw_finish_reason,
        )
        assert ("length", "max") == (choices[1].finish_reason, choices[1].raw_finish_reason)

    def test_a_later_usage_replaces_an_earlier_one(self):
        """Some providers report it again and again as it grows."""
        state = fold(
            STARTED,
            UsageReported(Usage(input_tokens=1, output_tokens=1)),
            UsageReported(Usage(input_tokens=1, output_tokens=2)),
        )
        assert Usage(input_tokens=1, output_tokens=2) == state.usage

    def test_filter_reports_are_all_kept(self):
        """One about the prompt and several about the answer say different things."""
        reports = [
            FilterReported(subject="prompt", annotations={"hate": {"filtered": False}}),
            FilterReported(subject="completion", annotations={}, choice=0),
            FilterReported(subject="completion", annotations={}, choice=0),
        ]
        assert reports == fold(STARTED, *reports).filters

    def test_an_unknown_event_changes_nothing_but_is_legal(self):
        """A newer version's event must not stop an older reader."""
        state = fold(STARTED, TextDelta("a"), UnknownEvent("new", b'{"type":"new"}'))
        assert ("a", 1) == (state.text, state.length)

    def test_start_and_end_are_kept_whole(self):
        """A reader finds model, outcome and timings there."""
        state = fold(STARTED, ENDED)
        assert STARTED is state.started
        assert ENDED is state.ended
