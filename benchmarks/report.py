"""Findings as a table, for people, and as JSON, for programs. Reads no clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.findings import Finding

_COLUMNS: Final = (
    "question", "unit", "ours", "usual", "nginx", "usual÷ours", "ours÷nginx", "floor", "reached",
)  # fmt: skip


def as_markdown(findings: Sequence[Finding], circumstances: Mapping[str, str]) -> str:
    """Return the circumstances, a table that is as readable plain as rendered, and the notes.

    A question mark stands where something disturbed the measurement; the notes say what.
    """
    rows = [_COLUMNS, *map(_row, findings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [f"- {name}: {value}" for name, value in circumstances.items()]
    lines.append("")
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
        if number == 0:
            lines.append(f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    lines.append("")
    for finding in findings:
        lines += [f"- {finding.name}: {note}" for note in (*_others(finding), *finding.notes)]
    return "\n".join(lines).rstrip() + "\n"


def save(
    findings: Sequence[Finding], circumstances: Mapping[str, str], *, folder: Path, date: str
) -> None:
    """Write the findings as `DATE.md` and `DATE.json`."""
    folder.mkdir(exist_ok=True)
    (folder / f"{date}.md").write_text(as_markdown(findings, circumstances))
    values = {"circumstances": dict(circumstances), "findings": [asdict(one) for one in findings]}
    (folder / f"{date}.json").write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def _row(finding: Finding) -> tuple[str, ...]:
    reached = {True: "yes", False: "NO", None: ""}[finding.is_reached]
    doubt = "?" if finding.is_doubtful else ""
    return (
        finding.name,
        finding.unit,
        *(_number(finding.figures.get(who)) for who in ("ours", "usual", "nginx")),
        _number(finding.times_less_than("usual")),
        _number(_inverse(finding.times_less_than("nginx"))),
        _floor(finding),
        reached + doubt,
    )


def _others(finding: Finding) -> list[str]:
    """Return the figures that have no column."""
    return [
        f"{who}: {_number(figure)} {finding.unit}"
        for who, figure in finding.figures.items()
        if who not in {"ours", "usual", "nginx"}
    ]


def _floor(finding: Finding) -> str:
    if finding.ceiling is not None:
        return f"≤ {finding.ceiling:g} {finding.unit}"
    if finding.least is not None:
        return f"≥ {finding.least:g}"
    return f"{finding.floor_times:g} times" if finding.floor_times is not None else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _inverse(value: float | None) -> float | None:
    return None if value is None else 1 / value
