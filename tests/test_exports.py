"""What `tickertape` exports: a promise, so it is written down twice."""

from __future__ import annotations

import tomllib
from pathlib import Path

import tickertape

PROMISED = [
    "AsyncTextStream",
    "ConfigurationError",
    "ConnectionLost",
    "Deadlines",
    "InvalidRequest",
    "MissingExtra",
    "ProtocolError",
    "RetryPolicy",
    "RunCancelled",
    "RunFailed",
    "StreamCollector",
    "StreamedResponse",
    "TextStream",
    "TickertapeError",
    "__version__",
    "async_stream_chat",
    "async_stream_completion",
    "stream_chat",
    "stream_completion",
]


def test_the_exports_are_those_that_were_promised():
    """Adding to this list is a decision; taking from it breaks somebody's program."""
    assert sorted(PROMISED) == sorted(tickertape.__all__)


def test_every_export_is_there():
    """And is what it says."""
    assert [] == [name for name in tickertape.__all__ if not hasattr(tickertape, name)]


def test_the_version_is_the_packages():
    """It stands in two places."""
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
    assert project["project"]["version"] == tickertape.__version__
