"""The benchmark of scripts: only whole tokens count, and figures are made of what was heard."""

from __future__ import annotations

import pytest

from benchmarks.findings import TextDiffers
from benchmarks.first_text import MAX_WAITED_SHARE, Heard, Listener, _delays, _first_texts
from benchmarks.rig.paced import stamps_us

TOKEN = "@0000000000000007~"


def test_stamps_are_read_from_any_number_of_tokens():
    """A piece may bring several, or none."""
    assert [7, 7] == stamps_us(TOKEN * 2)
    assert [] == stamps_us("")


@pytest.mark.parametrize("text", [TOKEN[:-1], TOKEN[1:], TOKEN + "x", "@7~"])
def test_what_is_no_whole_token_is_refused(text):
    """Text that was cut or changed gives no figure."""
    with pytest.raises(TextDiffers):
        stamps_us(text)


@pytest.mark.parametrize("tokens", [1, 3])
def test_every_token_must_have_come(tokens):
    """One that is missing, or came twice, is told with who lost it."""
    listener = Listener()
    listener.hear(TOKEN * 2)
    with pytest.raises(TextDiffers, match=f"sync, ours: 2 of {tokens} tokens"):
        listener.finish(tokens, who="sync, ours")


def test_the_first_text_is_heard_once():
    """What is empty is no text."""
    listener = Listener()
    listener.hear("")
    assert listener.heard.first_s is None
    listener.hear(TOKEN)
    first_s = listener.heard.first_s
    listener.hear(TOKEN)
    assert first_s == listener.finish(2, who="x").first_s
    assert 2 == len(listener.heard.delays_s)


def heard(*firsts_s, waited_s=0.0):
    return [
        Heard(
            first_s=each,
            delays_s=[9.0, each, each],
            cpu_s=3 * each,
            took_s=1.0,
            waited_s=waited_s,
        )
        for each in firsts_s
    ]


def test_figures_are_medians_side_by_side():
    """By kind; a first token's delay is no token's, since it came with the connection."""
    answers = {("sync", "ours"): heard(0.001, 0.002, 9.0), ("sync", "usual"): heard(0.004)}
    (first,) = _first_texts(answers)
    assert {"ours": 2.0, "usual": 4.0} == first.figures
    p50, _, cpu = _delays(answers)
    assert ("added delay, sync, p50", {"ours": 2.0, "usual": 4.0}) == (p50.name, p50.figures)
    assert {"ours": 2000.0, "usual": 4000.0} == pytest.approx(cpu.figures)


@pytest.mark.parametrize(("share", "is_doubtful"), [(0.0, False), (2 * MAX_WAITED_SHARE, True)])
def test_a_busy_machine_is_told(share, is_doubtful):
    """A figure that others disturbed is marked."""
    (finding,) = _first_texts({("sync", "ours"): heard(0.001, waited_s=share)})
    assert is_doubtful == finding.is_doubtful == bool(finding.notes)
