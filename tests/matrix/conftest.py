"""The clock of the matrix, and the line at the end that says how much of it ran."""

from __future__ import annotations

import asyncio

import pytest

from tests.matrix.patient_loop import PatientLoop

pytest.register_assert_rewrite("tests.matrix.checks")

FIGURES = "figure"
"""A user property of a test: a line for the summary."""


def pytest_asyncio_loop_factories(config, item):
    """Run tests marked `virtual_time` on a clock that jumps, but waits for sockets."""
    if item.get_closest_marker("virtual_time"):
        return {"patient": PatientLoop}
    return {"real": asyncio.new_event_loop}


def pytest_terminal_summary(terminalreporter):
    """Say how many cells there were, by what became of them."""
    counts: dict[str, int] = {}
    figures: list[str] = []
    for outcome in ("passed", "failed", "xfailed", "xpassed", "skipped", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            node = getattr(report, "nodeid", "")
            if "matrix/test_matrix.py::test_cell[" in node:
                counts[outcome] = counts.get(outcome, 0) + 1
            properties = getattr(report, "user_properties", []) if "/matrix/" in node else []
            figures += [text for name, text in properties if name == FIGURES]
    if counts:
        said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        terminalreporter.write_line(f"matrix: {sum(counts.values())} cells: {said}")
    for text in figures:
        terminalreporter.write_line(f"matrix: {text}")
