"""What a benchmark found: figures side by side, and whether the floor was reached.

Knows no benchmark and measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class TextDiffers(Exception):
    """The text that arrived is not the text that was sent: the figures mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One comparison. Figures are medians in one unit; less is better, unless `least` is given."""

    name: str
    unit: str
    figures: Mapping[str, float]
    """By who: "ours", "ours_…" (with another log than memory), "usual" (what users write
    today), "nginx" (the limit), others."""
    floor_times: float | None = None
    """How many times less than "usual" ours must be, at least."""
    ceiling: float | None = None
    """What ours may be at most, in the unit, with every log."""
    least: float | None = None
    """What ours must be at least, in the unit, with every log."""
    is_doubtful: bool = False
    """Something disturbed the measurement; the notes say what."""
    notes: tuple[str, ...] = ()

    def times_less_than(self, other: str) -> float | None:
        """Return `other` ÷ ours; None where one was not measured, or there is none of ours."""
        if other not in self.figures or not self.figures.get("ours"):
            return None
        return self.figures[other] / self.figures["ours"]

    @property
    def is_reached(self) -> bool | None:
        """Return whether ours is as good as it must be; None when that can't be told."""
        ours = [figure for who, figure in self.figures.items() if who.startswith("ours")]
        if self.ceiling is not None and ours:
            return max(ours) <= self.ceiling
        if self.least is not None and ours:
            return min(ours) >= self.least
        times = self.times_less_than("usual")
        if times is None or self.floor_times is None:
            return None
        return times >= self.floor_times


def check_text(sent: str, received: str, *, who: str) -> None:
    """Compare what a reader got with what the provider sent.

    Raises:
        TextDiffers: they are not the same; the message shows where they part.
    """
    if sent == received:
        return
    pairs = enumerate(zip(sent, received, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(sent), len(received)))
    raise TextDiffers(
        f"{who}: {len(received)} characters arrived of {len(sent)} sent; "
        f"at {at} came {received[at : at + 20]!r} in place of {sent[at : at + 20]!r}"
    )
