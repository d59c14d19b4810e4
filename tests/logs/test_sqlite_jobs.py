"""A job gives its answer to whoever waits for it, once."""

from __future__ import annotations

import asyncio

import pytest

from tests.logs.sqlite_desks import future
from tickertape.core.errors import UnknownRun
from tickertape.logs.sqlite_jobs import Check, ClosedRun, ReadHead

RUN = ClosedRun("ann", 2, 0.0, None, epoch=1)


async def test_the_result_is_the_answer():
    """None is one, too."""
    job = ReadHead(future=future(), run_id="r", result=RUN)
    job.settle()
    assert RUN == await job.future
    check = Check(future=future(), now=0.0)
    check.settle()
    assert await check.future is None


async def test_an_error_is_raised_where_it_is_awaited():
    """Whatever the result was."""
    job = ReadHead(future=future(), run_id="r", result=RUN, error=UnknownRun("r"))
    job.settle()
    with pytest.raises(UnknownRun):
        await job.future


async def test_who_went_away_is_not_told():
    """A cancelled call has no use for an answer."""
    job = ReadHead(future=future(), run_id="r", result=RUN)
    job.future.cancel()
    job.settle()
    with pytest.raises(asyncio.CancelledError):
        await job.future
