"""SQLite's errors become ours, once, with the way out."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.logs.sqlite_errors import opening, unavailable

PATH = Path("/there/log.db")


def error_of(name):
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("SQLITE_FULL", "free some space"),
        ("SQLITE_READONLY_DBMOVED", "writable"),
        ("SQLITE_IOERR_WRITE", "look at the disk"),
        ("SQLITE_CORRUPT", "move it away"),
        ("SQLITE_BUSY", "locked"),
    ],
)
def test_the_message_names_the_file_and_the_way_out(name, remedy):
    """And what SQLite said."""
    message = str(unavailable(error_of(name), PATH))
    assert "/there/log.db" in message
    assert "what SQLite says" in message
    assert remedy in message


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "make the file and its folder writable"),
        (errno.EROFS, "make the file and its folder writable"),
        (errno.ENOSPC, "free some space"),
    ],
)
def test_the_file_systems_errors_have_a_way_out_too(number, remedy):
    """As they come while the file is made."""
    with pytest.raises(ConfigurationError, match=f"{os.strerror(number)}.*; {remedy}"):  # noqa: SIM117
        with opening(PATH):
            raise OSError(number, os.strerror(number), str(PATH))


def test_an_error_without_a_code_is_told_as_it_is():
    """Not every one has it."""
    assert str(unavailable(sqlite3.ProgrammingError("closed"), PATH)).endswith("now: closed")


@pytest.mark.parametrize("error", [error_of("SQLITE_NOTADB"), OSError("no such thing")])
def test_an_error_at_opening_is_one_of_configuration(error):
    """The operator's business, not the caller's."""
    refused = pytest.raises(ConfigurationError, match=r"can't open the log '/there/log\.db'")
    with refused, opening(PATH):
        raise error
