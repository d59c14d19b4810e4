"""One line for an outage, however many readers it has."""

from __future__ import annotations

import logging

from tickertape.core.errors import LogUnavailable, UnknownRun
from tickertape.web.outages import QUIET_S, Outages


def test_an_outage_is_told_once_and_the_next_one_again(caplog):
    """It is over when nothing told of it for a while."""
    now = [0.0]
    outages = Outages(logging.getLogger("tickertape.web"), now_s=lambda: now[0])
    for at_s in (0.0, 1.0, QUIET_S, QUIET_S + 1, 2 * QUIET_S + 1):
        now[0] = at_s
        outages.note(LogUnavailable(f"away at {at_s:g}"))
    assert ["LogUnavailable: away at 0", "LogUnavailable: away at 61"] == caplog.messages


def test_other_errors_are_told_each(caplog):
    """They are not everybody's."""
    outages = Outages(logging.getLogger("tickertape.web"))
    for run_id in ("a", "b"):
        outages.note(UnknownRun(run_id))
    assert 2 == len(caplog.messages)
