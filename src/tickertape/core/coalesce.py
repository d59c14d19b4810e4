"""Merge adjacent deltas of one part, so that a batch becomes few events.

Merging changes how many events there are, never what they fold to. Only
neighbours merge: nothing is reordered, and nothing merges across another event.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, TypeVar

from tickertape.core.events import (
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from tickertape.core.record import Record

MAX_DELTA_CHARS = 16_384
"""A merged delta stops growing here, so that no event becomes a burden to a reader."""

_epoch_of: Final = attrgetter("epoch")


def coalesce(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events with adjacent deltas of one part merged."""
    if len(events) < 2:
        return events
    text = _one_text(events)
    return [merge(group) for group in _groups(events, events)] if text is None else [text]


def coalesce_records(records: Sequence[Record]) -> Sequence[Record]:
    """Return the records with adjacent deltas of one part merged.

    A merged record bears the offset of its last part: a reader that has applied
    it has applied everything up to there. Records of two epochs stay apart.
    """
    if len(records) < 2:
        return records
    if records[0].epoch != records[-1].epoch:  # epochs never fall
        stretches = [list(stretch) for _, stretch in groupby(records, _epoch_of)]
        return [merged for stretch in stretches for merged in coalesce_records(stretch)]
    events = [record.event for record in records]
    text = _one_text(events)
    if text is not None:
        return [_at_place_of(records[-1], text)]
    return [
        group[-1]
        if len(group) == 1
        else _at_place_of(group[-1], merge([record.event for record in group]))
        for group in _groups(records, events)
    ]


def _at_place_of(record: Record, event: Event) -> Record:
    return Record(record.offset, event, record.epoch, record.appended_at)


_T = TypeVar("_T")


def _one_text(events: Sequence[Event]) -> TextDelta | None:
    """Return the events as one delta, if all are one choice's text; nearly all batches are."""
    first = events[0]
    if type(first) is not TextDelta or type(events[-1]) is not TextDelta:
        return None
    choice = first.choice
    texts = [e.text for e in events if type(e) is TextDelta and e.choice == choice]
    text = "".join(texts)
    is_one = len(texts) == len(events) and len(text) <= MAX_DELTA_CHARS
    return TextDelta(text, choice) if is_one else None


def _groups(items: Sequence[_T], events: Sequence[Event]) -> list[Sequence[_T]]:
    """Cut `items` into stretches whose events (index for index) merge into one."""
    groups: list[Sequence[_T]] = []
    first, total_chars = 0, 0
    for index, event in enumerate(events):
        chars = delta_chars(event)
        if index > first and not (
            _continues(events[index - 1], event) and total_chars + chars <= MAX_DELTA_CHARS
        ):
            groups.append(items[first:index])
            first, total_chars = index, 0
        total_chars += chars
    groups.append(items[first:])
    return groups


def delta_chars(event: Event) -> int:
    """Return how much text an event brings, in characters; 0 when it is no delta."""
    match event:
        case TextDelta() | ReasoningDelta() | RefusalDelta():
            return len(event.text)
        case ToolCallDelta():
            return len(event.arguments)
        case _:
            return 0


def _continues(before: Event, event: Event) -> bool:
    """Tell whether `event` adds to what `before` adds to, and begins nothing new."""
    match event:
        case TextDelta() | ReasoningDelta() | RefusalDelta():
            return isinstance(before, type(event)) and before.choice == event.choice
        case ToolCallDelta():
            # Some providers repeat an empty id or name with each fragment.
            is_first_of_call = event.id or event.name
            return (
                not is_first_of_call
                and isinstance(before, ToolCallDelta)
                and before.choice == event.choice
                and before.index == event.index
            )
        case _:
            return False


def merge(group: Sequence[Event]) -> Event:
    """Return one event for deltas of one part."""
    first = group[0]
    if len(group) == 1:
        return first
    if isinstance(first, ToolCallDelta):
        return ToolCallDelta(
            index=first.index,
            id=first.id,
            name=first.name,
            arguments="".join([delta.arguments for delta in group]),  # type: ignore[union-attr]
            choice=first.choice,
        )
    assert isinstance(first, TextDelta | ReasoningDelta | RefusalDelta)
    return type(first)("".join([delta.text for delta in group]), first.choice)  # type: ignore[union-attr]
