"""Which log a server uses."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.logs.memory import MemoryLog
from tickertape.logs.sqlite import SqliteLog
from tickertape.testing.log_probes import started
from tickertape.web.assembly import open_handlers
from tickertape.web.log_setting import check_log_setting, describe_log, log_path, open_log
from tickertape.web.serve import ServeSettings

ENVIRONMENT = {"OPENAI_BASE_URL": "http://127.0.0.1:9", "OPENAI_API_KEY": "none"}


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Return where the platform keeps state, here."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("memory", None),
        ("sqlite:log.db", Path("log.db")),
        ("sqlite:/var/log.db", Path("/var/log.db")),
        ("sqlite:///var/log.db", Path("/var/log.db")),
        ("sqlite:~/log.db", Path.home() / "log.db"),
    ],
)
def test_a_setting_names_a_log(setting, path):
    """In memory, or a file."""
    assert path == log_path(setting)


def test_the_default_file_is_in_the_platforms_state_directory(state):
    """Made for its owner only."""
    path = log_path("sqlite")
    assert state / "tickertape" / "log.db" == path
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)


def test_a_state_directory_that_can_not_be_made_is_named(state):
    """With both ways out."""
    state.write_text("a file")
    with pytest.raises(ConfigurationError, match="can't make the folder .*sqlite:PATH.*memory"):
        log_path("sqlite")


@pytest.mark.parametrize(
    "setting", ["", "postgres", "sqlite:", "sqlite://host/log.db", "memory:x", "/var/log.db"]
)
def test_another_setting_is_refused(setting):
    """The error gives the forms that there are; a server's settings refuse it at once."""
    for refuse in (check_log_setting, lambda log: ServeSettings(log=log)):
        with pytest.raises(
            ConfigurationError, match="memory, sqlite, sqlite:PATH .* or redis://"
        ) as refused:
            refuse(setting)
        assert repr(setting) in str(refused.value)


async def test_the_log_is_opened_and_closed(tmp_path):
    """What was in it is there when it is opened again."""
    async with open_log("memory") as log:
        assert isinstance(log, MemoryLog)
    for _ in range(2):
        async with open_log(f"sqlite:{tmp_path}/log.db") as log:
            assert isinstance(log, SqliteLog)
            await log.create(started("r"), idempotency_key="k")
    async with open_log(f"sqlite:{tmp_path}/log.db") as log:
        assert (await log.head("r")).is_closed


def test_a_log_is_described_for_people(state):
    """Where runs are, and for how long."""
    assert describe_log("memory").startswith("in memory")
    assert f"{state}/tickertape/log.db: runs are kept for 24 hours" == describe_log("sqlite")
    assert "kept for 90 seconds" in describe_log("sqlite", retention_s=90)
    assert "Redis at h:7, database 3, keys chat:*: runs are kept for 2 hours" == describe_log(
        "redis://user:secret@h:7/3?prefix=chat:", retention_s=7200
    )


def test_p10_a_setting_that_is_refused_shows_no_password():
    """Whatever it names."""
    with pytest.raises(ConfigurationError, match=r"there is no log 'reddis://\*\*\*@h'") as refused:
        check_log_setting("reddis://user:secret@h")
    assert "secret" not in str(refused.value)


async def test_runs_are_kept_for_as_long_as_told(tmp_path):
    """In every log."""
    for setting in ("memory", f"sqlite:{tmp_path}/log.db"):
        async with open_log(setting, retention_s=60) as log:
            assert setting.startswith("sqlite") or 60 == log._retention_s
        with pytest.raises(ConfigurationError, match="retention_s must be more than 0"):
            async with open_log(setting, retention_s=0):
                pass


async def test_the_environment_may_name_the_log(tmp_path):
    """For applications whose code names none; a password is not in a command line there."""
    environment = {**ENVIRONMENT, "TICKERTAPE_LOG": f"sqlite:{tmp_path}/log.db"}
    async with open_handlers(environment=environment) as handlers:
        assert isinstance(handlers.engine.log, SqliteLog)
    async with open_handlers(environment=environment, log="memory") as handlers:
        assert isinstance(handlers.engine.log, MemoryLog)


async def test_handlers_keep_runs_in_memory_unless_told(tmp_path):
    """By a setting, or by a log that somebody else opens and closes."""
    async with open_handlers(environment=ENVIRONMENT) as handlers:
        assert isinstance(handlers.engine.log, MemoryLog)
    async with open_handlers(environment=ENVIRONMENT, log=f"sqlite:{tmp_path}/a.db") as handlers:
        assert isinstance(handlers.engine.log, SqliteLog)
    async with SqliteLog(tmp_path / "b.db") as log:
        async with open_handlers(environment=ENVIRONMENT, log=log) as handlers:
            assert log is handlers.engine.log
        await log.check()
