"""Closed runs go after their time, their ids later, and the file shrinks."""

from __future__ import annotations

import pytest

from tests.logs.sqlite.desks import append, create, do, open_writer
from tickertape.core.errors import RunTrimmed, UnknownRun
from tickertape.core.events import TextDelta
from tickertape.logs.sqlite import retention as sqlite_retention
from tickertape.logs.sqlite.retention import REMEMBER_S
from tickertape.testing.log_probes import ENDED, RETENTION_S


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.db"


def start_and_end(writer, *run_ids, size=1, now=0.0):
    for run_id in run_ids:
        do(writer, create(run_id, key=run_id, now=now))
        do(writer, append(run_id, TextDelta("x" * size), ENDED, now=now))


def kept(writer):
    rows = writer._connection.execute(
        "SELECT run_id FROM runs WHERE trimmed_at IS NULL ORDER BY number"
    )
    return [run_id for (run_id,) in rows]


async def test_a_start_trims_a_few_that_are_due(path):
    """The oldest first; more starts, more of them, so that none has to wait long."""
    with open_writer(path) as writer:
        start_and_end(writer, *"abcdef")
        do(writer, create("g", now=RETENTION_S))
        assert ["e", "f", "g"] == kept(writer)
        do(writer, create("h", now=RETENTION_S))
        assert ["g", "h"] == kept(writer)


async def test_what_is_due_is_trimmed_when_the_file_is_opened(path):
    """All of it: nobody waits yet."""
    with open_writer(path) as writer:
        start_and_end(writer, *(f"{number}" for number in range(20)))
        start_and_end(writer, "later", now=1.0)
    with open_writer(path, opened_at=RETENTION_S) as writer:
        assert ["later"] == kept(writer)
        assert (1,) == writer._connection.execute("SELECT COUNT(*) FROM slices").fetchone()


async def test_nothing_but_the_id_is_left(path):
    """Neither its text nor whose it was."""
    with open_writer(path) as writer:
        do(writer, create("r", owner="ann", key="k", fingerprint="f"))
        do(writer, append("r", TextDelta("very private"), ENDED))
        do(writer, create("s", now=RETENTION_S))
        rows = writer._connection.execute(
            "SELECT owner, idempotency_key, fingerprint FROM runs WHERE run_id = 'r'"
        )
        assert (None, None, "") == rows.fetchone()
    assert b"very private" not in path.read_bytes()


async def test_ids_are_remembered_for_a_time(path):
    """Then the run never was."""
    with open_writer(path) as writer:
        start_and_end(writer, "r")
        start_and_end(writer, "s", now=RETENTION_S)
        assert isinstance(do(writer, append("r", ENDED))[0], RunTrimmed)
        do(writer, create("t", now=RETENTION_S + REMEMBER_S))
        assert isinstance(do(writer, append("r", ENDED))[0], UnknownRun)
        assert isinstance(do(writer, append("s", ENDED))[0], RunTrimmed)


async def test_few_ids_are_remembered(path, monkeypatch):
    """The oldest are forgotten first."""
    monkeypatch.setattr(sqlite_retention, "MAX_REMEMBERED", 2)
    with open_writer(path) as writer:
        start_and_end(writer, *"abcd")
        do(writer, create("e", now=RETENTION_S))
        errors = do(writer, *(append(run_id, ENDED) for run_id in "abcd"))
        assert [UnknownRun, UnknownRun, RunTrimmed, RunTrimmed] == list(map(type, errors))


async def test_the_file_shrinks(path):
    """Where much of it is free; while it runs, and not only when it is opened."""
    with open_writer(path) as writer:
        start_and_end(writer, *(f"{number}" for number in range(40)), size=200_000)
        writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = path.stat().st_size
        for number in range(100):
            do(writer, create(f"new {number}", now=RETENTION_S))
        writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert path.stat().st_size < before / 4
    assert path.stat().st_size < before / 4


@pytest.mark.parametrize(("trimmed", "others"), [(2, 0), (8, 40)], ids=["few", "a small part"])
async def test_a_little_free_space_is_kept_for_new_runs(path, trimmed, others):
    """To give it back would only mean to ask for it again."""
    with open_writer(path) as writer:
        start_and_end(writer, *(f"{number}" for number in range(trimmed)), size=200_000)
        start_and_end(writer, *(f"+{number}" for number in range(others)), size=200_000, now=1.0)
        do(writer, create("b", now=1.0))
        pages = writer._connection.execute("PRAGMA page_count").fetchone()
        for number in range(3):
            do(writer, create(f"new {number}", now=RETENTION_S))
        assert len(kept(writer)) == others + 4
        assert pages == writer._connection.execute("PRAGMA page_count").fetchone()
        assert 0 < writer._connection.execute("PRAGMA freelist_count").fetchone()[0]
