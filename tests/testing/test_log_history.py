"""Random histories: they reach every kind of step."""

from __future__ import annotations

from typing import get_args

from hypothesis import Phase, given, settings

from tickertape.testing.log_history import Action, Crash, histories


def test_every_kind_of_step_happens():
    """So that nothing that the model knows goes untried."""
    kinds = set()

    @given(histories())
    @settings(max_examples=50, phases=[Phase.generate], derandomize=True, deadline=None)
    def collect(history):
        kinds.update(map(type, history[1:]))

    collect()
    assert {*get_args(Action), Crash} == kinds
