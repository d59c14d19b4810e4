"""The benchmark of waking many readers works, with readers at one server and at several."""

from __future__ import annotations

import pytest

from benchmarks import fan_out
from benchmarks.findings import TextDiffers
from benchmarks.rig.played import PlayedRun
from benchmarks.rig.rig import rig


@pytest.mark.usefixtures("memory_only")
def test_cost_and_delay_have_a_figure():
    """For each token of each reader."""
    found = fan_out.run(quick=True)
    name = "fan-out, 50 tokens/s to 20 readers"
    ends = ("each reader's token", "delay p50", "delay p99")
    assert [f"{name}, {end}" for end in ends] == [finding.name for finding in found]
    assert all({"ours"} == finding.figures.keys() for finding in found)


def test_every_token_of_every_reader_counts():
    """But the first, which opened the stream."""
    with rig() as desk, desk.start("ours") as server:
        measured = fan_out.measure(desk, [server], readers=3, duration_s=0.1, who="ours")
    assert 3 * 5 == len(measured.delays_s)


def test_a_reader_that_misses_text_fails(monkeypatch):
    """Whatever it cost."""
    write = PlayedRun.write

    def lose(run, token):
        write(run, token)
        run.sent.append("lost")

    monkeypatch.setattr(PlayedRun, "write", lose)
    monkeypatch.setattr(fan_out, "await_marks", lambda desk, readers, count: None)
    with (
        rig() as desk,
        desk.start("ours") as server,
        pytest.raises(TextDiffers, match="the shared log"),
    ):
        fan_out.measure(desk, [server], readers=2, duration_s=0.1, who="the shared log")
