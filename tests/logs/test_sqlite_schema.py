"""The log's file: made, locked, and refused when it is not ours to use."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.logs import sqlite_schema
from tickertape.logs.sqlite_schema import lock, open_database, open_for_reading


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.db"


def reopen(path, **settings):
    open_database(path, **{"synchronous": "normal", "max_bytes": None, **settings}).close()


def pragma(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_file_is_made_for_its_owner_only(path):
    """Answers are nobody else's business; its write-ahead log is no exception."""
    with closing(open_database(path, synchronous="normal", max_bytes=None)) as connection:
        connection.execute("INSERT INTO journal (appends) VALUES ('[]')")
        files = [path, path.with_name("log.db-wal"), path.with_name("log.db-shm")]
        assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}


def test_how_the_file_is_written_is_set(path):
    """Nobody waits for a reader, free pages can be given back, and what is deleted is gone."""
    with closing(open_database(path, synchronous="full", max_bytes=40960)) as connection:
        expected = {
            "journal_mode": "wal",
            "synchronous": 2,
            "auto_vacuum": 2,
            "max_page_count": 10,
            "secure_delete": 1,
        }
        assert expected == {name: pragma(connection, name) for name in expected}


def test_a_file_of_ours_is_opened_again(path):
    """With what is in it."""
    with closing(open_database(path, synchronous="normal", max_bytes=None)) as connection:
        connection.execute("INSERT INTO journal (appends) VALUES ('[]')")
    with closing(open_database(path, synchronous="normal", max_bytes=None)) as connection:
        assert 1 == connection.execute("SELECT COUNT(*) FROM journal").fetchone()[0]


def test_a_file_that_was_made_and_no_further_is_new(path):
    """A crash between the first settings and the tables."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    reopen(path)


def test_a_newer_file_is_refused(path, monkeypatch):
    """It names both versions."""
    monkeypatch.setattr(sqlite_schema, "VERSION", 7)
    reopen(path)
    monkeypatch.undo()
    with pytest.raises(ConfigurationError, match="version 7, this one knows 1.*upgrade"):
        reopen(path)


def test_another_programs_file_is_refused(path):
    """And not touched."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="another program's SQLite file"):
        reopen(path)
    assert before == path.read_bytes()


def test_what_is_no_database_is_refused(path):
    """And not touched."""
    path.write_text("my diary\n" * 100)
    with pytest.raises(ConfigurationError, match=r"log\.db'.*no SQLite file: choose another"):
        reopen(path)
    assert path.read_text().startswith("my diary")


def test_a_folder_is_no_file(tmp_path):
    """The error names it."""
    with pytest.raises(ConfigurationError, match="can't open the log"):
        reopen(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """It is not made: the path may be mistyped."""
    with pytest.raises(ConfigurationError, match="there is no folder '.*missing'; make it"):
        lock(tmp_path / "missing" / "log.db")


@contextmanager
def as_nobody():
    """Take away what root may do: write where nobody may."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_file_that_may_not_be_written_is_refused_when_it_is_opened(is_folder):
    """Not at the first answer; the message says what to change."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        reopen(path)
        path.chmod(0o644 if is_folder else 0o444)
        path.parent.chmod(0o555 if is_folder else 0o777)
        refused = pytest.raises(ConfigurationError, match=r"log\.db'.*folder.*writable")
        with as_nobody(), refused, closing(lock(path)):
            reopen(path)
        path.parent.chmod(0o700)


def test_an_unknown_setting_is_refused(path):
    """With the ones there are."""
    with pytest.raises(ConfigurationError, match="'normal' or 'full', not 'off'"):
        reopen(path, synchronous="off")


def test_one_lock_at_a_time(path):
    """In this process as in any other, until it is closed."""
    with closing(lock(path)), pytest.raises(ConfigurationError, match="in use"):
        lock(path)
    lock(path).close()


def test_a_child_does_not_inherit_the_lock(path):
    """What a server starts may outlive it."""
    script = "import os, sys; os.fork() or (sys.stdout.write('up'), sys.stdout.flush(), input())"
    holder = (
        "import sys; from pathlib import Path; from tickertape.logs.sqlite_schema import lock; "
        f"held = lock(Path(sys.argv[1])); exec({script!r})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert b"up" == process.stdout.read(2)  # the child's; it holds its parent's files open
        process.wait()
        lock(path).close()
        process.stdin.close()


def test_a_reader_can_only_read(path):
    """Whatever it tries."""
    reopen(path)
    refused = pytest.raises(sqlite3.OperationalError, match="readonly")
    with closing(open_for_reading(path)) as connection, refused:
        connection.execute("DELETE FROM runs")
