"""The whole way of a storm, in one process and calm weather, with a fault planted in it.

What a storm must be able to find is found here: through the real proxy, by the real readers.
"""

from __future__ import annotations

import contextlib
from random import Random

import pytest

from tests.chaos.crowd import Crowd
from tests.chaos.provider import provider_for, times_asked
from tests.chaos.proxy import Proxy
from tests.chaos.runs import PlannedReader, PlannedRun
from tests.chaos.services import require
from tests.chaos.storm import read_log
from tests.chaos.verdict import mismatches
from tests.web.conftest import serving
from tickertape.logs.memory import MemoryLog
from tickertape.testing.faults import Faults
from tickertape.web.asgi import create_app
from tickertape.web.assembly import open_handlers

KINDS = ("start", "again", "late", "document", "curl", "post")


def planned(**faults):
    return PlannedRun(
        number=3,
        start_s=0.0,
        pieces=tuple(f"word{at} " for at in range(50)),
        faults=Faults(chunks_per_write=5, pace_s=0.01, **faults),
        readers=tuple(PlannedReader(kind, 0.0) for kind in KINDS),
        cancel_after_s=None,
    )


async def verdict(run, *, spoil=bytes, share=0.0):
    """Return what is found wrong with one run and its readers, and who reads it."""
    require("curl")
    log = MemoryLog()
    async with (
        provider_for([run]) as provider,
        open_handlers(log=log, environment=provider.openai_environment) as handlers,
        serving(create_app(lambda: contextlib.nullcontext(handlers))) as url,
        Proxy([int(url.rpartition(":")[2])], chance=Random(1), share=share, spoil=spoil) as proxy,
    ):
        crowd = Crowd(proxy.url, hangs_after_s=20)
        readings = await crowd.read_all([run])
        found = await read_log(log, crowd.run_ids)
    wrong = list(mismatches([run], log=found, readings=readings, asked=times_asked(provider)))
    return wrong, proxy.counts


async def test_nothing_is_found_where_nothing_was_planted():
    """All readers have the whole text, in one connection each."""
    wrong, counts = await verdict(planned())
    assert [] == wrong
    assert {"connections"} == set(counts)


async def test_p1_nothing_is_found_however_often_connections_are_cut():
    """Most of them, at a random byte, and still every reader comes to the whole text."""
    wrong, counts = await verdict(planned(), share=0.8)
    assert [] == wrong
    assert counts["reset"] + counts["closed"] + counts["half_open"]


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda piece: piece.replace(b"word20 ", b"       "), "'       word21 "),
        (lambda piece: piece.replace(b"word21 ", b"word20 "), "'word20 word22 "),
        (lambda piece: piece.replace(b"word20 word21 ", b"word21 word20 "), "'word21 word20 "),
    ],
    ids=["lost", "repeated", "reordered"],
)
async def test_a_spoiled_answer_is_found(spoil, found):
    """A proxy changes the text on its way to the readers: each of them is found out."""
    wrong, _ = await verdict(planned(), spoil=spoil)
    assert any("curl" in sentence and found in sentence for sentence in wrong)
    assert len(KINDS) - 1 == len(wrong)


async def test_a_provider_that_repeats_itself_is_found():
    """The log has a word twice that was to be said once; the readers have what the log has."""
    wrong, _ = await verdict(planned(duplicate_at=9))
    assert "the log is not what the provider sent" in wrong[0]
    assert not [sentence for sentence in wrong if "it is not the log's text" in sentence]
