"""The display benchmark works, and a wrong text does not pass it."""

from __future__ import annotations

import pytest

from benchmarks import bursts, smooth
from benchmarks.bursts import Delta
from benchmarks.findings import TextDiffers


@pytest.mark.parametrize("trace", [bursts.bursts(5), bursts.steady(50)], ids=["bursts", "steady"])
def test_it_runs_without_the_ai_sdk(monkeypatch, trace):
    """Ours and the plain arrival have every figure, and a note says what is missing."""
    monkeypatch.delenv(smooth.AI_SDK, raising=False)
    found = smooth.compare("smoke", trace)
    assert all({"as it arrives", "ours"} == set(one.figures) for one in found)
    assert smooth.AI_SDK in found[0].notes[0]


def test_a_lost_display_fails_the_comparison(monkeypatch):
    """Figures count only for the text that arrived."""
    monkeypatch.setattr(smooth, "ours", lambda arrived: arrived[:-1])
    with pytest.raises(TextDiffers):
        smooth.compare("smoke", bursts.bursts(5))


def test_the_figures_of_a_known_trace():
    """Two characters, the second one held back for 0.1 s."""
    arrived = [Delta(0.0, "a"), Delta(0.1, "b"), Delta(0.3, "c")]
    shown = [Delta(0.0, "a"), Delta(0.2, "b"), Delta(0.3, "c")]
    found = smooth.figures(arrived, shown)
    assert pytest.approx(200) == found["gap between displays, max"][1]
    assert pytest.approx(100) == found["added delay, max"][1]
    assert pytest.approx(100 / 3) == found["time in which nothing moves"][1]


def test_the_same_seed_gives_the_same_trace():
    """Made without chance, so that runs can be compared."""
    assert bursts.bursts(5) == bursts.bursts(5)
    assert bursts.steady(50) == bursts.steady(50)
