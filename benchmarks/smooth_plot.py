"""Draw `docs/display-buffer.svg`: `python -m benchmarks.smooth_plot`.

A few bursts of the benchmark's trace, as they arrive and as they are shown.
`smoothStream` is drawn where the benchmark finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

from benchmarks.bursts import Delta, bursts
from benchmarks.smooth import merged, ours, smooth_stream

TARGET: Final = Path(__file__).parents[1] / "docs" / "display-buffer.svg"
WIDTH: Final = 880
LEFT: Final = 64
RIGHT: Final = 850
TOP: Final = 84
BOTTOM: Final = 374
ROWS_TOP: Final = 410
ROW_HEIGHT: Final = 54
FROM_S: Final = 2.0
TO_S: Final = 4.5

_TITLE: Final = "Bursts as Azure sends them, and what a reader sees"
_COLOURS: Final = {
    "As it arrives": "#8b95a1",
    "smoothStream (AI SDK)": "#d9822b",
    "Display buffer": "#0b6e99",
}
_STYLE: Final = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#3c4650}"
    ".title{font-size:17px;font-weight:600;fill:#1b2329}.name{font-weight:600}"
    ".axis{stroke:#c9d0d6}.grid{stroke:#edf0f2}.curve{fill:none;stroke-linejoin:round}"
)


def main() -> None:
    """Write the picture."""
    arrived = bursts(20)
    ways = {"As it arrives": merged(arrived), "smoothStream (AI SDK)": smooth_stream(arrived)}
    ways["Display buffer"] = ours(arrived)
    TARGET.write_text(picture({name: shown for name, shown in ways.items() if shown is not None}))
    print(f"wrote {TARGET}")


def picture(ways: dict[str, Sequence[Delta]]) -> str:
    """Return the SVG: how many characters are shown at each time, and each single display."""
    height = ROWS_TOP + ROW_HEIGHT * len(ways) + 34
    before = {name: _chars_until(shown, FROM_S) for name, shown in ways.items()}
    floor = min(before.values())
    ceiling = max(_chars_until(shown, TO_S) for shown in ways.values())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Characters over time: bursts as they arrive, and as they are shown</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<text class="title" x="{LEFT}" y="32">{_TITLE}</text>',
        *_grid(floor, ceiling, height),
    ]
    for number, (name, shown) in enumerate(ways.items()):
        lines += _curve(name, shown, floor=floor, ceiling=ceiling)
        lines += _row(name, shown, top=ROWS_TOP + number * ROW_HEIGHT)
        x = LEFT + (0, 170, 376)[number % 3]
        lines.append(
            f'<rect x="{x}" y="52" width="22" height="4" rx="2" fill="{_COLOURS[name]}"/>'
            f'<text x="{x + 30}" y="59">{name}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _grid(floor: int, ceiling: int, height: int) -> Iterator[str]:
    for chars in range(0, ceiling - floor + 1, 100):
        y = _y(floor + chars, floor, ceiling)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>'
        yield f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{chars}</text>'
    yield f'<text x="{LEFT}" y="{TOP - 4}" fill-opacity=".7">characters</text>'
    for half in range(int((TO_S - FROM_S) * 2) + 1):
        x = _x(FROM_S + half / 2)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{height - 34}"/>'
        yield f'<text x="{x:.1f}" y="{height - 14}" text-anchor="middle">{half / 2:g} s</text>'
    yield f'<path class="axis" d="M{LEFT} {BOTTOM}H{RIGHT}"/>'


def _curve(name: str, shown: Sequence[Delta], *, floor: int, ceiling: int) -> Iterator[str]:
    """Draw a step for each display, as it is seen: nothing moves between two of them."""
    path = [f"M{LEFT} {_y(_chars_until(shown, FROM_S), floor, ceiling):.1f}"]
    totals = accumulate(len(one.text) for one in shown)
    for (at_s, _), chars in zip(shown, totals, strict=True):
        if FROM_S <= at_s <= TO_S:
            path.append(f"H{_x(at_s):.1f}V{_y(chars, floor, ceiling):.1f}")
    path.append(f"H{RIGHT}")
    look = f'stroke="{_COLOURS[name]}" stroke-width="{2.6 if name == "Display buffer" else 1.6}"'
    yield f'<path class="curve" {look} d="{"".join(path)}"/>'


def _row(name: str, shown: Sequence[Delta], *, top: float) -> Iterator[str]:
    """Draw a bar for each display, as high as the root of its text's length."""
    base = top + ROW_HEIGHT - 8
    yield f'<text class="name" x="{LEFT}" y="{top + 6}" fill-opacity=".85">{name}</text>'
    for at_s, text in shown:
        if FROM_S <= at_s <= TO_S:
            tall = min(34.0, 3.3 * len(text) ** 0.5)
            yield (
                f'<rect x="{_x(at_s) - 1:.1f}" y="{base - tall:.1f}" width="2" '
                f'height="{tall:.1f}" fill="{_COLOURS[name]}"/>'
            )
    yield f'<path class="axis" d="M{LEFT} {base}H{RIGHT}"/>'


def _chars_until(shown: Sequence[Delta], end_s: float) -> int:
    return sum(len(one.text) for one in shown if one.at_s < end_s)


def _x(at_s: float) -> float:
    return LEFT + (at_s - FROM_S) / (TO_S - FROM_S) * (RIGHT - LEFT)


def _y(chars: int, floor: int, ceiling: int) -> float:
    return BOTTOM - (chars - floor) / (ceiling - floor) * (BOTTOM - TOP)


if __name__ == "__main__":
    main()
