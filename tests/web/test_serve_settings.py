"""What a server can be told, and what it refuses before it begins."""

from __future__ import annotations

import math

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.web.serve_settings import ServeSettings


@pytest.mark.parametrize("heartbeat_s", [0, -1, 31, math.nan])
def test_a_heartbeat_that_readers_would_not_wait_for_is_refused(heartbeat_s):
    """The message names the bound and the value."""
    with pytest.raises(ConfigurationError, match=f"at most 30, not {heartbeat_s!r}"):
        ServeSettings(heartbeat_s=heartbeat_s)


@pytest.mark.parametrize("log", ["memory", "sqlite", "sqlite:/tmp/log.db"])
def test_several_workers_need_a_log_that_they_can_share(log):
    """The message says both ways out."""
    with pytest.raises(ConfigurationError, match="--log redis://HOST:PORT, or use one worker"):
        ServeSettings(workers=2, log=log)
    assert 2 == ServeSettings(workers=2, log="redis://h").workers


@pytest.mark.parametrize(
    "wrong",
    [
        {"lease_term_s": 0.9},
        {"lease_term_s": 61},
        {"lease_term_s": math.nan},
        {"abandon_after_s": 0},
        {"abandon_after_s": math.inf},
        {"retention_s": 0},
        {"retention_s": math.inf},
        {"max_runs": 0},
        {"max_subscribers": 0},
        {"drain_s": -1},
        {"drain_s": math.nan},
        {"workers": 0},
        {"workers": 257},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(wrong):
    """By its name, with the value and what is allowed."""
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigurationError, match=f"{name} must be .*{value!r}"):
        ServeSettings(log="redis://h", **wrong)
