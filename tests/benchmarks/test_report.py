"""The table of findings: a column for each log of ours, and the rest in notes."""

from __future__ import annotations

from benchmarks.findings import Finding
from benchmarks.report import as_markdown

RELAY = Finding(name="relay", unit="µs", figures={"ours": 2.0, "ours_redis": 4.0, "usual": 40.0})
DELAY = Finding(name="delay", unit="ms", figures={"ours": 1.0, "direct": 0.5}, ceiling=1)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_each_log_of_ours_has_a_column():
    """Empty where it was not measured; figures that have no column are told below."""
    heads, _, relay, delay, *notes = as_markdown([RELAY, DELAY], {}).strip().splitlines()
    assert ["question", "unit", "ours", "ours_redis", "usual", "nginx"] == cells(heads)[:6]
    assert ["relay", "µs", "2", "4", "40", "", "20", ""] == cells(relay)[:8]
    assert ["delay", "ms", "1", "", "", ""] == cells(delay)[:6]
    assert ["≤ 1 ms", "yes"] == cells(delay)[8:]
    assert ["- delay: direct: 0.5 ms"] == [note for note in notes if note]
