"""The report on a storm: its figures, and what was wrong."""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import Struct

from tests.chaos.leftovers import Census
from tests.chaos.reading import Reading

_MOST_SENTENCES: Final = 40


class Report(Struct, frozen=True, kw_only=True):
    """What came of a storm."""

    seed: int
    took_s: float
    outcomes: Counter[str]
    readings: tuple[Reading, ...]
    requests: int
    """To the provider."""
    proxy: Counter[str]
    blows: Counter[str]
    before: Census
    after: Census
    keys: Counter[str]
    complaints: Counter[str]
    """What the servers wrote into their logs, beside what they always do."""
    wrong: tuple[str, ...]
    """One sentence for each thing that may not be. Empty: all promises were kept."""

    @property
    def hangs(self) -> int:
        """How many readers never came to an end."""
        return sum(1 for reading in self.readings if reading.trouble.startswith("hung"))

    def __str__(self) -> str:
        readers = Counter(reading.reader for reading in self.readings)
        curls = sum(each.connections for each in self.readings if each.reader in {"curl", "post"})
        lines = [
            f"seed       {self.seed}",
            f"took       {self.took_s:.0f} s",
            f"runs       {_listed(self.outcomes)}; {self.requests} requests to the provider",
            f"readers    {_listed(readers)}; {curls} calls of curl",
            f"proxy      {_listed(self.proxy)}",
            f"blows      {_listed(self.blows)}",
            f"before     {self.before}",
            f"after      {self.after}",
            f"keys       {_listed(self.keys)}",
            *(f"said       {count} x {said}" for said, count in self.complaints.most_common(12)),
            f"hangs      {self.hangs}",
            f"wrong      {len(self.wrong)}",
            *(f"  {sentence}" for sentence in self.wrong[:_MOST_SENTENCES]),
        ]
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
