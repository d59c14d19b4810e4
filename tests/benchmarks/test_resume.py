"""The benchmark of catching up works, and a reader that misses text does not pass it."""

from __future__ import annotations

import pytest

from benchmarks import resume
from benchmarks.findings import TextDiffers
from benchmarks.rig.played import PlayedRun, start_runs
from benchmarks.rig.rig import rig

NAMES = [
    f"resume, 200 tokens, {state}, from the {place}"
    for state in ("still running", "ended")
    for place in ("beginning", "middle")
]


@pytest.mark.usefixtures("memory_only")
def test_every_way_to_resume_has_a_figure():
    """A run that goes on and one that has ended, with no cursor and with one."""
    found = resume.run(quick=True)
    assert NAMES == [finding.name for finding in found]
    assert all({"ours"} == finding.figures.keys() for finding in found)


def test_a_reader_with_a_wrong_cursor_fails():
    """What comes after it is not what should."""
    with rig() as desk, desk.start("ours") as server:
        (run,) = start_runs(desk, server, [0])
        cursor = resume.play(desk, server, run, tokens=20, ends=True)
        assert 10 == cursor.tokens
        with pytest.raises(TextDiffers):
            resume.catch_up(
                desk, server, run, resume.Cursor(str(int(cursor.after) + 1), 10), is_ended=True
            )


@pytest.mark.usefixtures("memory_only")
def test_text_that_was_never_sent_fails(monkeypatch):
    """Whatever the time it took."""
    write = PlayedRun.write

    def pretend(run, token):
        write(run, token)
        run.sent[-1] = "another"

    monkeypatch.setattr(PlayedRun, "write", pretend)
    with pytest.raises(TextDiffers):
        resume.run(quick=True)
