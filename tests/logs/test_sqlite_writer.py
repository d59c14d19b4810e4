"""The writer: what moves from the journal to slices when, and what a failure leaves."""

from __future__ import annotations

import sqlite3

import pytest

from tests.logs.sqlite_desks import (
    append,
    create,
    do,
    open_reader,
    open_writer,
    read_closed,
    read_slices,
    take_over,
)
from tickertape.core.errors import LogClosed, RunTrimmed, StaleEpoch, UnknownRun
from tickertape.core.events import TextDelta
from tickertape.logs import sqlite_writer
from tickertape.logs.sqlite_errors import LogUnavailable
from tickertape.logs.sqlite_jobs import Appended
from tickertape.testing.log_probes import ENDED, RETENTION_S

A = TextDelta("a")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.db"


@pytest.fixture
def writer(path):
    with open_writer(path) as writer:
        yield writer


def journal_rows(path):
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT row FROM journal ORDER BY row").fetchall()
    connection.close()
    return [row for (row,) in rows]


async def test_all_that_waits_is_one_row_of_the_journal(path, writer):
    """Whichever runs it is for."""
    do(writer, create("a"), create("b"))
    results = do(writer, append("a", A), append("b", A, A), append("a", A))
    assert [Appended(1, 2, 0), Appended(2, 3, 0), Appended(1, 3, 0)] == results
    assert [1, 2] == journal_rows(path)


async def test_enough_records_become_a_slice(path, writer, monkeypatch):
    """With the append that makes them enough, which needs no row of the journal."""
    monkeypatch.setattr(sqlite_writer, "SLICE_RECORDS", 4)
    do(writer, create("r"))
    (result,) = do(writer, append("r", A, A))
    assert Appended(1, 3, 0) == result
    (result,) = do(writer, append("r", A, A))
    assert Appended(1, 5, 5) == result
    assert [1, 2] == journal_rows(path)
    with open_reader(path) as reader:
        assert [0, 1, 2, 3, 4] == read_slices(reader, 1)


async def test_large_records_become_a_slice(path, writer):
    """However few they are."""
    do(writer, create("r"))
    (result,) = do(writer, append("r", TextDelta("x" * sqlite_writer.SLICE_BYTES)))
    assert Appended(1, 2, 2) == result


async def test_the_journal_is_cleaned_from_its_beginning(path, writer, monkeypatch):
    """Up to the oldest row that an open run still needs."""
    monkeypatch.setattr(sqlite_writer, "CLEAN_EVERY", 10)
    writer._clean_at_row = 10
    do(writer, create("ends"))
    do(writer, create("stays"))
    for _ in range(10):
        do(writer, append("ends", A))
    do(writer, append("ends", ENDED))
    for _ in range(10):
        do(writer, append("stays", A))
    rows = journal_rows(path)
    assert 2 == rows[0]
    assert list(range(2, rows[-1] + 1)) == rows


async def test_a_run_that_adds_little_does_not_hold_the_journal_back(path, writer, monkeypatch):
    """After a while its records move, few as they are; nothing of them is lost."""
    monkeypatch.setattr(sqlite_writer, "CLEAN_EVERY", 10)
    monkeypatch.setattr(sqlite_writer, "JOURNAL_ROWS", 30)
    writer._clean_at_row = 10
    do(writer, create("slow"))
    do(writer, create("quick"))
    for _ in range(200):
        do(writer, append("quick", A))
    assert len(journal_rows(path)) <= 30 + 2 * 10
    assert [Appended(1, 2, 1)] == do(writer, append("slow", A))
    with open_reader(path) as reader:
        assert [0] == read_slices(reader, 1)


async def test_a_failure_leaves_no_trace(path, writer, monkeypatch):
    """Neither in the file nor in what the writer knows: slices, ends and starts included."""
    monkeypatch.setattr(sqlite_writer, "SLICE_RECORDS", 4)
    do(writer, create("r"), create("ending"))
    do(writer, append("r", A))
    writer._connection.execute("PRAGMA query_only = 1")
    failed = do(
        writer,
        create("new"),
        append("r", A, A),
        append("r", A),
        append("ending", ENDED),
        append("x", A),
    )
    assert [LogUnavailable] * 4 + [UnknownRun] == [type(error) for error in failed]
    writer._connection.execute("PRAGMA query_only = 0")
    results = do(writer, append("new", A), append("r", A), append("r", A, A), append("ending", A))
    assert isinstance(results[0], UnknownRun)
    assert [Appended(1, 3, 0), Appended(1, 5, 5), Appended(2, 2, 0)] == results[1:]
    with open_reader(path) as reader:
        assert [0, 1, 2, 3, 4] == read_slices(reader, 1)


@pytest.fixture
def no_room_in_journal(writer):
    """Have the last statement of a transaction fail, for appends of more than 1000 bytes."""
    writer._connection.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON journal WHEN length(NEW.appends) > 1000 "
        "BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )


async def test_a_start_that_fails_at_the_last_moment_never_was(writer, no_room_in_journal):
    """Though all of it but the commit had been done; the same run can be started again."""
    failed = create("r")
    failed.append = b" " * 2000 + failed.append
    assert [LogUnavailable] == [type(error) for error in do(writer, failed)]
    assert [UnknownRun] == [type(error) for error in do(writer, append("r", A))]
    assert [Appended(2, 1, 0)] == do(writer, create("r"))


async def test_an_end_that_fails_with_others_is_made_alone(path, writer, no_room_in_journal):
    """It was undone with them, so the run was open again."""
    do(writer, create("ending"), create("r"))
    big = append("r", TextDelta("x" * 2000))
    results = do(writer, append("ending", A, ENDED), big, create("new"))
    assert [Appended(1, 3, 3), LogUnavailable, Appended] == [
        results[0],
        type(results[1]),
        type(results[2]),
    ]
    with open_reader(path) as reader:
        assert ENDED == read_closed(reader, "ending")[-1]


async def test_a_failure_of_many_is_one_job_at_a_time(path):
    """The one that does not fit is refused, and the others are stored in order."""
    with open_writer(path, max_bytes=150_000) as writer:
        do(writer, create("r"))
        big = append("r", TextDelta("x" * 200_000))
        results = do(writer, append("r", A), big, append("r", A))
        assert [Appended(1, 2, 0), LogUnavailable, Appended(1, 3, 0)] == [
            result if isinstance(result, Appended) else type(result) for result in results
        ]


async def test_what_is_not_open_is_refused_with_the_reason(writer):
    """Unknown, fenced, closed or trimmed."""
    do(writer, create("r"))
    do(writer, append("r", ENDED))
    assert [UnknownRun, StaleEpoch, LogClosed] == [
        type(error) for error in do(writer, append("x", A), append("r", A, epoch=2), append("r", A))
    ]
    do(writer, create("s", now=RETENTION_S))
    assert [RunTrimmed] == [type(error) for error in do(writer, append("r", A))]


async def test_a_take_over_is_decided_where_appends_are(writer):
    """In the order in which they came, all in one transaction."""
    do(writer, create("r"))
    fenced = append("r", A)
    results = do(writer, append("r", A), take_over("r"), fenced, append("r", A, epoch=2))
    assert [Appended(1, 2, 0), 2, Appended(1, 3, 0)] == [*results[:2], results[3]]
    assert (StaleEpoch, 1, 2) == (type(fenced.error), fenced.error.held, fenced.error.current)


async def test_a_take_over_comes_too_late(writer):
    """After another one, or after the end."""
    do(writer, create("r"))
    results = do(writer, take_over("r"), take_over("r"), append("r", ENDED, epoch=2))
    assert [int, StaleEpoch, Appended] == list(map(type, results))
    late = do(writer, take_over("r"), take_over("r", epoch=2), take_over("x"))
    assert [LogClosed, LogClosed, UnknownRun] == list(map(type, late))


async def test_a_take_over_that_fails_with_others_is_made_alone(writer, no_room_in_journal):
    """It was undone with them, so the run had its old writer again."""
    do(writer, create("r"))
    big = append("r", TextDelta("x" * 2000), epoch=2)
    results = do(writer, take_over("r"), big, append("r", A, epoch=2))
    assert [2, LogUnavailable, Appended(1, 2, 0)] == [results[0], type(results[1]), results[2]]


async def test_a_take_over_that_fails_leaves_the_old_writer(writer):
    """Nobody has got the run then."""
    do(writer, create("r"))
    writer._connection.execute("PRAGMA query_only = 1")
    failed = do(writer, take_over("r"), append("r", A, epoch=2))
    assert [LogUnavailable, StaleEpoch] == list(map(type, failed))
    writer._connection.execute("PRAGMA query_only = 0")
    assert [Appended(1, 2, 0)] == do(writer, append("r", A))


async def test_a_crash_after_a_take_over_ends_the_run_under_a_higher_epoch(path):
    """Though its new writer had stored nothing yet."""
    with open_writer(path) as writer:
        do(writer, create("r"))
        do(writer, take_over("r"))
    with open_writer(path) as writer:
        (refused,) = do(writer, append("r", A, epoch=2))
        assert (StaleEpoch, 3) == (type(refused), refused.current)


async def test_numbers_go_on_when_the_file_is_opened_again(path):
    """No two runs share one."""
    with open_writer(path) as writer:
        do(writer, create("a"))
    with open_writer(path) as writer:
        (created,) = do(writer, create("b"))
    assert 2 == created.number
