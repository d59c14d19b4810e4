"""Coalescing changes how many events there are, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import deltas, middles
from tickertape.core.coalesce import (
    MAX_DELTA_CHARS,
    coalesce,
    coalesce_records,
    delta_chars,
    merge,
)
from tickertape.core.events import (
    ChoiceFinished,
    Event,
    ReasoningDelta,
    RefusalDelta,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    UnknownEvent,
)
from tickertape.core.record import Record
from tickertape.core.run_state import RunState

STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=1.0)
FINISHED = ChoiceFinished(finish_reason="stop", raw_finish_reason="stop")

batches = st.lists(middles, max_size=30)
# Long enough that a few of them reach the bound, and some are beyond it alone.
long_batches = st.lists(deltas(st.integers(0, 9000).map("x".__mul__)), max_size=12)
enormous_batches = st.lists(st.builds(TextDelta, st.just("x" * (MAX_DELTA_CHARS + 1))), max_size=3)


def fold(events: Sequence[Event]) -> object:
    """Return all that a reader can see of a run, as one value to compare."""
    state = RunState()
    for event in [STARTED, *events]:
        state.apply(event)
    choices = {
        index: (
            (choice.text, choice.reasoning, choice.refusal),
            (choice.finish_reason, choice.raw_finish_reason),
            {i: (call.id, call.name, call.arguments) for i, call in choice.tool_calls.items()},
        )
        for index, choice in state.choices.items()
    }
    return choices, state.length, state.filters, state.usage, state.phase


def characters(events: Sequence[Event]) -> list[object]:
    """Return the events as single characters, each with its part; others stay as they are."""
    found: list[object] = []
    for event in events:
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                found += [(type(event), event.choice, character) for character in event.text]
            case ToolCallDelta():
                if begins_call(event):
                    found.append((event.choice, event.index, event.id, event.name))
                found += [(event.choice, event.index, each) for each in event.arguments]
            case _:
                found.append(event)
    return found


def part_of(event: Event) -> object:
    """Return a value that is the same for deltas of one part; None for what is no delta."""
    match event:
        case TextDelta() | ReasoningDelta() | RefusalDelta():
            return type(event), event.choice
        case ToolCallDelta():
            return ToolCallDelta, event.choice, event.index
        case _:
            return None


def begins_call(event: Event) -> bool:
    """Tell whether the event brings a tool call's id or name."""
    return isinstance(event, ToolCallDelta) and bool(event.id or event.name)


def records_of(events: Sequence[Event], *, first_offset: int = 5) -> list[Record]:
    """Return the events as records of one epoch, each with a time of its own."""
    return [
        Record(offset, event, epoch=100, appended_at=float(offset))
        for offset, event in enumerate(events, first_offset)
    ]


class TestCoalesce:
    @given(batches | long_batches)
    def test_the_folded_run_is_unchanged(self, events):
        """Texts, tool calls, length, reports: all as without coalescing."""
        assert fold(events) == fold(coalesce(events))

    @given(batches | long_batches)
    def test_no_character_moves(self, events):
        """Each keeps its part and its place among all others, so nothing merges across others."""
        assert characters(events) == characters(coalesce(events))

    @given(batches)
    def test_what_is_no_delta_stays_as_it_is(self, events):
        """Reports and unknown events are the same objects, in the same order."""
        others = [event for event in events if part_of(event) is None]
        kept = [event for event in coalesce(events) if part_of(event) is None]
        assert [id(event) for event in others] == [id(event) for event in kept]

    @given(long_batches | enormous_batches)
    def test_no_delta_grows_beyond_the_bound(self, events):
        """One that was larger from the start stays alone."""
        too_large = [event for event in coalesce(events) if delta_chars(event) > MAX_DELTA_CHARS]
        assert [event for event in events if delta_chars(event) > MAX_DELTA_CHARS] == too_large

    @given(batches | long_batches)
    def test_neighbours_that_could_merge_have_merged(self, events):
        """A second time there is nothing left to do."""
        once = coalesce(events)
        assert once == coalesce(once)
        for before, after in pairwise(once):
            if part_of(before) == part_of(after) is not None and not begins_call(after):
                assert delta_chars(before) + delta_chars(after) > MAX_DELTA_CHARS

    @pytest.mark.parametrize(
        ("events", "expected"),
        [
            ([], []),
            ([TextDelta("a")], [TextDelta("a")]),
            ([TextDelta("a"), TextDelta("b"), TextDelta("c")], [TextDelta("abc")]),
            ([ReasoningDelta("a", 1), ReasoningDelta("b", 1)], [ReasoningDelta("ab", 1)]),
            ([RefusalDelta("a"), RefusalDelta("b")], [RefusalDelta("ab")]),
            (
                [ToolCallDelta(index=0, arguments="{"), ToolCallDelta(index=0, id="", name="")],
                [ToolCallDelta(index=0, arguments="{")],
            ),
            (
                [
                    ToolCallDelta(index=1, id="c", name="add", choice=1),
                    ToolCallDelta(index=1, arguments="{", choice=1),
                    ToolCallDelta(index=1, arguments="}", choice=1),
                ],
                [ToolCallDelta(index=1, id="c", name="add", arguments="{}", choice=1)],
            ),
        ],
    )
    def test_deltas_of_one_part_become_one(self, events, expected):
        """The first one's id, name, index and choice are the merged one's."""
        assert expected == list(coalesce(events))

    @pytest.mark.parametrize(
        "events",
        [
            pytest.param([TextDelta("a"), TextDelta("b", 1)], id="choices"),
            pytest.param([TextDelta("a"), ReasoningDelta("b")], id="text and reasoning"),
            pytest.param([RefusalDelta("a"), TextDelta("b")], id="refusal and text"),
            pytest.param([TextDelta("a"), TextDelta("b", 1), TextDelta("c")], id="interleaved"),
            pytest.param([TextDelta("a"), FINISHED, TextDelta("b")], id="finish between"),
            pytest.param(
                [TextDelta("a"), UnknownEvent("new", b"{}"), TextDelta("b")], id="unknown between"
            ),
            pytest.param([FINISHED, FINISHED], id="no deltas"),
            pytest.param([ToolCallDelta(index=0), ToolCallDelta(index=1)], id="calls"),
            pytest.param(
                [ToolCallDelta(index=0), ToolCallDelta(index=0, choice=1)],
                id="calls of two choices",
            ),
            pytest.param(
                [ToolCallDelta(index=0, id="a"), ToolCallDelta(index=0, id="b")], id="new id"
            ),
            pytest.param(
                [ToolCallDelta(index=0, id="a"), ToolCallDelta(index=0, name="b")], id="late name"
            ),
        ],
    )
    def test_these_stay_apart(self, events):
        """Other parts, and deltas with anything between them."""
        assert events == list(coalesce(events))

    def test_a_full_delta_starts_the_next_one(self):
        """Exactly the bound still fits."""
        half = "x" * (MAX_DELTA_CHARS // 2)
        events = [TextDelta(half), TextDelta(half), TextDelta("y"), TextDelta("z")]
        assert [TextDelta(half + half), TextDelta("yz")] == list(coalesce(events))

    @given(batches)
    def test_the_callers_list_is_left_alone(self, events):
        """The engine appends to the log what it also folds."""
        before = list(events)
        coalesce(events)
        assert before == events


class TestCoalesceRecords:
    @given(batches | long_batches)
    def test_the_events_are_those_of_coalesce(self, events):
        """Both merge by the same rule."""
        merged = coalesce_records(records_of(events))
        assert list(coalesce(events)) == [record.event for record in merged]

    @given(batches)
    def test_each_record_stands_for_all_up_to_its_offset(self, events):
        """A reader that resumes after any of them gets nothing twice and misses nothing."""
        records = records_of(events)
        merged = coalesce_records(records)
        for count, record in enumerate(merged, 1):
            so_far = [each.event for each in records if each.offset <= record.offset]
            assert fold(so_far) == fold([each.event for each in merged[:count]])

    @given(batches)
    def test_a_record_is_the_last_of_those_merged_but_for_the_event(self, events):
        """Offset, epoch and time are of one and the same record; the last offset stays last."""
        records = records_of(events)
        by_offset = {record.offset: record for record in records}
        merged = coalesce_records(records)
        for record in merged:
            original = by_offset[record.offset]
            assert (original.epoch, original.appended_at) == (record.epoch, record.appended_at)
        assert records[-1:] == [by_offset[record.offset] for record in merged[-1:]]

    def test_a_record_that_merges_with_none_is_the_same_object(self):
        """So a log can keep its encoded bytes for it."""
        records = records_of([TextDelta("a"), FINISHED, TextDelta("b")])
        assert [id(record) for record in records] == [
            id(record) for record in coalesce_records(records)
        ]

    def test_records_of_two_epochs_stay_apart(self):
        """Each merged record is of one writer, and bears its offset and epoch."""
        epochs = [1, 1, 2, 2, 4]
        records = [Record(i, TextDelta("abcde"[i]), epochs[i], 0.0) for i in range(5)]
        assert [
            Record(1, TextDelta("ab"), 1, 0.0),
            Record(3, TextDelta("cd"), 2, 0.0),
            Record(4, TextDelta("e"), 4, 0.0),
        ] == coalesce_records(records)


class TestMerge:
    def test_one_event_is_returned_as_it_is(self):
        """Nothing is copied where nothing is merged."""
        assert FINISHED is merge([FINISHED])
