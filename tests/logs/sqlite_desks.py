"""The threads' work done without threads: what a test of one of them needs."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from tickertape.core.events import RunEnded
from tickertape.logs.packed_append import pack_append
from tickertape.logs.sqlite_jobs import Append, Create, Key, ReadClosed, ReadSlices, TakeOver
from tickertape.logs.sqlite_reader import Reader
from tickertape.logs.sqlite_retention import Retention
from tickertape.logs.sqlite_writer import Writer
from tickertape.testing.log_probes import RETENTION_S, started


@contextmanager
def open_writer(path, *, opened_at=0.0, max_bytes=None):
    writer = Writer(
        path,
        retention=Retention(RETENTION_S),
        synchronous="normal",
        max_bytes=max_bytes,
        opened_at=opened_at,
    )
    writer.open()
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def open_reader(path):
    reader = Reader(path)
    reader.open()
    try:
        yield reader
    finally:
        reader.close()


def future():
    return asyncio.get_running_loop().create_future()


def create(run_id, *, owner=None, key=None, fingerprint="", now=0.0):
    event = started(run_id)
    return Create(
        future=future(),
        started=event,
        owner=owner,
        holder=None,
        key=key and Key(owner, key, fingerprint),
        append=pack_append([event], epoch=1, appended_at=now),
        now=now,
    )


def append(run_id, *events, epoch=1, now=0.0):
    return Append(
        future=future(),
        run_id=run_id,
        events=events,
        epoch=epoch,
        append=pack_append(events, epoch=epoch, appended_at=now),
        ends_run=isinstance(events[-1], RunEnded),
        cancel_by=None,
        appended_at=now,
    )


def take_over(run_id, *, epoch=1):
    return TakeOver(future=future(), run_id=run_id, holder="a", epoch=epoch)


def do(desk, *jobs):
    """Have the jobs done together; return their results, or errors, in order."""
    desk.work(jobs)
    return [job.error or job.result for job in jobs]


def read_closed(reader, run_id, *, after=-1, limit=10_000):
    """Return the events of a run that has ended."""
    (found,) = do(reader, ReadClosed(future=future(), run_id=run_id, after=after, limit=limit))
    if isinstance(found, Exception):
        raise found
    return [record.event for record in found[1]]


def read_slices(reader, number, *, after=-1, limit=10_000):
    """Return the offsets of what an open run has in slices."""
    (records,) = do(reader, ReadSlices(future=future(), number=number, after=after, limit=limit))
    return [record.offset for record in records]
