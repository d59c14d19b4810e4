"""The model of Redis is true: a real one, given the same calls, gives the same replies."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from functools import partial
from random import Random

import pytest
import redis

from tests.simulation.redis_data import WrongOrder
from tests.simulation.redis_model import SCRIPTS as MODEL
from tests.simulation.redis_model import RedisModel
from tickertape.logs.redis_scripts import SCRIPTS

LIFETIME = b"1000000"
NOW_MS = 1_800_000_000_000
HISTORIES = 200
CALLS = 60


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


class Caller:
    """Draws calls that go where it matters: near a run's true end and epoch, or repeated."""

    def __init__(self, random, model, prefix):
        self.random = random
        self.model = model
        self.prefix = prefix
        self.calls = []

    def one_of(self, *choices):
        return self.random.choice(choices)

    def near(self, number):
        return b"%d" % max(0, number + self.one_of(-2, -1, 0, 0, 0, 0, 0, 0, 1))

    def now(self):
        return b"%d" % (NOW_MS + self.random.randrange(30))

    def next(self):
        """Return a call: script, keys, arguments."""
        if self.calls and self.random.random() < 0.25:
            return self.one_of(*self.calls[-6:])
        run = self.one_of(b"run1", b"run1", b"run2")
        of_run = [self.prefix + run, self.prefix + b"records:" + run]
        holder = self.one_of(b"h1", b"h2")
        head = self.model.run("head", of_run[:1], [])
        end, epoch = (head[1], head[2]) if head[0] == b"ok" else (1, 1)
        script = self.one_of(*SCRIPTS, "append", "append", "append", "append", "create", "create")
        match script:
            case "create":
                owner = self.one_of(b"", b"=me")
                token = self.one_of(b"t1", b"t2")
                given = [b"packed", token, owner, self.one_of(b"", b"=" + holder), b"1.5", LIFETIME]
            case "append":
                packed = self.one_of(b"a", b"b", b"\x00\xff")
                given = [self.near(epoch), self.near(end), self.one_of(b"0", b"1", b"1", b"2")]
                given += [packed, b"channel", LIFETIME]
                if self.random.random() < 0.15:
                    given += [b"2.5", LIFETIME]
            case "read":
                given = [self.near(end - 2), self.near(end)]
            case "take_over":
                token = self.one_of(b"t1", b"t2", b"t3", b"t4", b"t5", b"t6")
                given = [self.near(epoch), self.near(epoch), holder, token, LIFETIME]
            case "cancel":
                given = [self.one_of(b"user", b"abandoned"), b"cancels", run]
            case "note_read":
                given = [b"3.5"]
            case "claim":
                before = self.one_of(b"", b"run1", b"run2")
                given = [run, self.one_of(b"f", b"g"), before, LIFETIME]
            case "renew":
                given = [holder, self.one_of(b"5", b"20"), self.now(), LIFETIME]
            case "enlist":
                given = [holder, self.now(), LIFETIME]
            case "forget":
                given = [holder, self.now(), self.one_of(b"0", b"10")]
            case "release" | "lease":
                given = [holder, self.now()]
            case "lapsed":
                given = [self.now()]
            case "hold":
                given = [LIFETIME, self.one_of(b"", b"run1", b"run2")]
                given += [run] * self.one_of(0, 1)
            case _:
                given = []
        keys = {"append": 2, "create": 2, "read": 2, "take_over": 2}.get(script, 1)
        here = of_run[:keys]
        if script in {"renew", "enlist", "forget", "release", "lease", "lapsed"}:
            here = [self.prefix + b"leases"]
        elif script in {"claim", "find", "hold", "held", "check"}:
            here = [self.prefix + script[:1].encode()]
            if script in {"claim", "find"}:
                here = [self.prefix + b"key"]
            elif script in {"hold", "held"}:
                here = [self.prefix + b"held"]
        call = (script, here, given)
        self.calls.append(call)
        return call


def replied(run, keys, arguments):
    """Return the reply, or that Redis refused."""
    try:
        return run(keys, arguments)
    except (redis.ResponseError, WrongOrder):
        return "refused"


def test_the_model_replies_as_redis_does(real):
    """Whatever is called in whatever order, every reply is the same."""
    seen = set()
    for seed in range(HISTORIES):
        model = RedisModel(lambda: NOW_MS)
        caller = Caller(Random(seed), model, b"%d:" % seed)
        for _ in range(CALLS):
            script, keys, arguments = caller.next()
            expected = replied(real[script], keys, arguments)
            actual = replied(partial(model.run, script), keys, arguments)
            if script == "held":
                expected, actual = ([reply[0], sorted(reply[1])] for reply in (expected, actual))
            assert expected == actual, (seed, script, keys, arguments)
            seen.add((script, expected if isinstance(expected, str) else expected[0]))
    # Every word that a script can answer was answered.
    words = {(name, word) for name, word in _words()}
    assert words <= seen, words - seen


def _words():
    """Yield each script's words, as its text has them."""
    for name, text in SCRIPTS.items():
        code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        for returned in re.findall(r"return \{(.*)", code):
            for word in re.findall(r"'(\w+)'", returned.partition(",")[0]):
                yield name, word.encode()


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
