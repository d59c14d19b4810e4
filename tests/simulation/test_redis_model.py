"""The model of Redis is true: a real one, given the same calls, gives the same replies."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import time

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.redis_model import SCRIPTS as MODEL
from tests.simulation.redis_model import RedisModel
from tickertape.logs.redis_scripts import SCRIPTS

LIFETIME = b"1000000"
NOW_MS = 1_800_000_000_000
_examples = itertools.count()


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A Redis of this test's own, on a free port."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("there is no redis-server here: apt-get install redis-server")
        pytest.skip("there is no redis-server here: apt-get install redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        cwd=tmp_path_factory.mktemp("redis"),
        stdout=subprocess.PIPE,
    )
    try:
        for line in server.stdout:
            if b"eady to accept connections" in line:
                break
        with redis.Redis(port=port) as client:
            yield {name: client.register_script(text) for name, text in SCRIPTS.items()}
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


RUN = st.sampled_from([b"r1", b"r2"])
HOLDER = st.sampled_from([b"h1", b"h2"])
EPOCH = st.sampled_from([b"1", b"1", b"2", b"3"])
OFFSET = st.integers(0, 6).map(lambda number: b"%d" % number)
NOW = st.integers(NOW_MS, NOW_MS + 30).map(lambda number: b"%d" % number)
TOKEN = st.sampled_from([b"t1", b"t2", b"t3"])
PACKED = st.sampled_from([b"a", b"b", b"\x00\xff"])


def of_run(script, *arguments):
    """Return calls of a script whose keys are a run, and perhaps its records."""
    keys = 2 if script in {"append", "create", "read", "take_over"} else 1

    def call(run, drawn):
        return script, (b"run:" + run, b"records:" + run)[:keys], tuple(drawn)

    return st.builds(call, RUN, st.tuples(*arguments))


def of_key(script, name, *arguments):
    """Return calls of a script on one key of this name."""
    return st.builds(lambda drawn: (script, (name,), tuple(drawn)), st.tuples(*arguments))


def just(value):
    return st.just(value)


COUNT = st.sampled_from([b"0", b"1", b"2"])
APPEND = (EPOCH, OFFSET, COUNT, PACKED, just(b"channel"), just(LIFETIME))
CALLS = st.one_of(
    of_run("create", PACKED, TOKEN, st.sampled_from([b"", b"=me"]), HOLDER.map(lambda h: b"=" + h),
           just(b"1.5"), just(LIFETIME)),
    of_run("append", *APPEND),
    of_run("append", *APPEND),
    of_run("append", *APPEND, just(b"2.5"), just(LIFETIME)),
    of_run("read", OFFSET, OFFSET),
    of_run("head"),
    of_run("note_read", just(b"3.5")),
    of_run("cancel", st.sampled_from([b"user", b"abandoned"]), just(b"cancels"), RUN),
    of_run("take_over", EPOCH, EPOCH, HOLDER, TOKEN, just(LIFETIME)),
    of_key("claim", b"key", RUN, st.sampled_from([b"f", b"g"]), st.sampled_from([b"", b"r1"]),
           just(LIFETIME)),
    of_key("find", b"key"),
    of_key("renew", b"leases", HOLDER, st.sampled_from([b"5", b"20"]), NOW, just(LIFETIME)),
    of_key("release", b"leases", HOLDER, NOW),
    of_key("enlist", b"leases", HOLDER, NOW, just(LIFETIME)),
    of_key("forget", b"leases", HOLDER, NOW, st.sampled_from([b"0", b"10"])),
    of_key("lapsed", b"leases", NOW),
    of_key("lease", b"leases", HOLDER, NOW),
    of_key("hold", b"held", just(LIFETIME), st.sampled_from([b"", b"r1", b"r2"]), RUN),
    of_key("held", b"held"),
    of_key("check", b"check"),
)  # fmt: skip


def replied(do):
    """Return the reply, with a set's members in order; or that Redis refused."""
    try:
        reply = do()
    except (redis.ResponseError, Exception) as error:
        if isinstance(error, redis.ConnectionError):
            raise
        return "refused"
    return reply


@settings(max_examples=200)
@given(calls=st.lists(CALLS, max_size=30))
def test_the_model_replies_as_redis_does(calls, real):
    """Whatever is called in whatever order, every reply is the same."""
    model = RedisModel(lambda: NOW_MS)
    prefix = b"%d:" % next(_examples)
    for script, keys, arguments in calls:
        here = [prefix + key for key in keys]
        expected = replied(lambda: real[script](keys=here, args=arguments))
        actual = replied(lambda: model.run(script, here, arguments))
        if script == "held":
            expected, actual = ([reply[0], sorted(reply[1])] for reply in (expected, actual))
        assert expected == actual, (script, keys, arguments)


def test_every_script_has_its_model():
    """And the model has no other."""
    assert set(SCRIPTS) == set(MODEL)


def test_time_is_redis_own_where_none_is_given(real):
    """An empty `now` means the server's clock, to the millisecond."""
    model = RedisModel(lambda: int(time.time() * 1000))
    for script in (real["renew"], lambda keys, args: model.run("renew", keys, args)):
        assert [b"new"] == script(keys=[b"own"], args=[b"h", b"1000000", b"", LIFETIME])
        assert [b"held"] == script(keys=[b"own"], args=[b"h", b"1000000", b"", LIFETIME])


def test_a_restart_keeps_what_was_written():
    """All of it, or all up to a moment, and what is published is lost."""
    now_ms = 0
    model = RedisModel(lambda: now_ms)
    leases = [b"leases"]
    model.run("renew", leases, [b"early", b"100000", b"", LIFETIME])
    now_ms = 500
    model.run("renew", leases, [b"late", b"100000", b"", LIFETIME])
    model.restart()
    assert [b"held"] == model.run("lease", leases, [b"late", b""])
    model.restart(forgets_ms=400)
    assert [b"held"] == model.run("lease", leases, [b"early", b""])
    assert [b"lapsed"] == model.run("lease", leases, [b"late", b""])
