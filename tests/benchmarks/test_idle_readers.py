"""The benchmark of idle readers works, and asks for room for their connections."""

from __future__ import annotations

import resource

import pytest

from benchmarks import idle_readers
from benchmarks.rig.rig import rig


@pytest.mark.usefixtures("memory_only")
def test_memory_and_heartbeats_have_a_figure():
    """With all readers at one run, and spread over several."""
    found = idle_readers.run(quick=True)
    assert [
        f"idle readers, 100 of {spread}, {what}"
        for spread in ("one run", "10 runs")
        for what in ("memory", "heartbeats")
    ] == [finding.name for finding in found]


def test_every_reader_gets_the_text_of_its_run():
    """It is checked for each of them; no heartbeat is due so soon."""
    with rig() as desk, desk.start("ours") as server:
        measured = idle_readers.measure(desk, server, readers=7, runs=3, waits_s=0.1)
    assert 0 == measured.heartbeats


def test_room_is_only_ever_raised(monkeypatch):
    """To what is needed, and never lowered."""
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 9000))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: asked.append(limits))
    idle_readers.allow_files(1000)
    idle_readers.allow_files(6000)
    assert [(6000, 9000)] == asked
