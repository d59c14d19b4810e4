"""The model of Redis is true: a real one, given the same calls, gives the same replies."""

from __future__ import annotations

import re
import socket
import time
from functools import partial
from random import Random

import hiredis
import pytest
import redis

from tests.redis_server import RedisServer
from tests.simulation.redis_data import WrongOrder
from tests.simulation.redis_model import SCRIPTS as MODEL
from tests.simulation.redis_model import RedisModel
from tickertape.logs.redis import commands
from tickertape.logs.redis.scripts import SCRIPTS

LIFETIME = b"1000000"
NOW_MS = 1_800_000_000_000
HISTORIES = 200
CALLS = 60
KEY_OF = {
    **dict.fromkeys(["renew", "enlist", "forget", "release", "lease", "lapsed"], b"leases"),
    **dict.fromkeys(["claim", "find"], b"key"),
    **dict.fromkeys(["hold", "held"], b"held"),
    "check": b"check",
}
"""Of the scripts whose key is no run."""
WITH_RECORDS = {"append", "create", "read", "take_over"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real Redis, of this test's own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def real(server):
    """A connection to it."""
    with redis.Redis(port=server.port) as client:
        yield client


@pytest.fixture(scope="module")
def calls(real, server):
    """All that the port can be asked, by name: the scripts, and what is plain commands."""
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        scripts = {name: real.register_script(text) for name, text in SCRIPTS.items()}
        yield {**scripts, "read": partial(read, wire)}


def read(wire, keys, arguments):
    """Ask as our own connection does, and return what it would."""
    command = commands.script(None, "read", keys, arguments)
    wire.sendall(command.packed)
    reader = hiredis.Reader()
    for _ in range(command.replies):
        while (reply := reader.gets()) is False:
            reader.feed(wire.recv(65536))
    assert command.answer is not None
    return command.answer(reply)


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
        script = self.one_of(*SCRIPTS, "read", *["append"] * 4, *["create"] * 2)
        run = self.one_of(b"run1", b"run1", b"run2")
        holder = self.one_of(b"h1", b"h2")
        if script in KEY_OF:
            keys = [KEY_OF[script]]
            given = self.beside_a_run(script, run, holder)
        else:
            keys = [run, b"records:" + run] if script in WITH_RECORDS else [run]
            given = self.about_a_run(script, run, holder)
        call = (script, [self.prefix + key for key in keys], given)
        self.calls.append(call)
        return call

    def about_a_run(self, script, run, holder):
        """Return the arguments of a script whose key is a run."""
        head = self.model.run("head", [self.prefix + run], [])
        end, epoch = (head[1], head[2]) if head[0] == b"ok" else (1, 1)
        match script:
            case "create":
                token = self.one_of(b"t1", b"t2")
                owner = self.one_of(b"", b"=me")
                return [b"packed", token, owner, self.one_of(b"", b"=" + holder), b"1.5", LIFETIME]
            case "append":
                count, packed = (
                    self.one_of(b"0", b"1", b"1", b"2"),
                    self.one_of(b"a", b"b", b"\xff"),
                )
                ends = [b"2.5", LIFETIME] if self.random.random() < 0.15 else []
                given = [self.near(epoch), self.near(end), count, packed, b"channel", LIFETIME]
                return given + ends
            case "read":
                first, last = int(self.near(end - 2)), int(self.near(end))
                return [b"%d" % first, b"%d" % max(first, last)]
            case "take_over":
                token = self.one_of(b"t1", b"t2", b"t3", b"t4", b"t5", b"t6")
                return [self.near(epoch), self.near(epoch), holder, token, LIFETIME]
            case "cancel":
                return [self.one_of(b"user", b"abandoned"), b"cancels", run]
            case "note_read":
                return [b"3.5"]
            case _:
                return []

    def beside_a_run(self, script, run, holder):
        """Return the arguments of a script on leases, what is held, or an idempotency key."""
        match script:
            case "claim":
                before = self.one_of(b"", b"run1", b"run2")
                return [run, self.one_of(b"f", b"g"), before, LIFETIME]
            case "renew":
                return [holder, self.one_of(b"5", b"20"), self.now(), LIFETIME]
            case "enlist":
                return [holder, self.now(), LIFETIME]
            case "forget":
                return [holder, self.now(), self.one_of(b"0", b"10")]
            case "release" | "lease":
                return [holder, self.now()]
            case "lapsed":
                return [self.now()]
            case "check":
                return [b"channel"]
            case "hold":
                return [LIFETIME, self.one_of(b"", b"run1", b"run2"), *[run] * self.one_of(0, 1)]
            case _:
                return []


def replied(run, keys, arguments):
    """Return the reply, or that Redis refused."""
    try:
        return run(keys, arguments)
    except (redis.ResponseError, WrongOrder):
        return "refused"


def test_the_model_does_as_redis_does(real, calls):
    """Whatever is called in whatever order: every reply, and every message that is published."""
    seen = set()
    heard = real.pubsub(ignore_subscribe_messages=True)
    heard.ssubscribe("channel")
    heard.subscribe("channel", "cancels")
    assert [None] * 3 == [heard.get_message(timeout=5) for _ in range(3)]
    for seed in range(HISTORIES):
        model = RedisModel(lambda: NOW_MS)
        caller = Caller(Random(seed), model, b"%d:" % seed)
        for _ in range(CALLS):
            script, keys, arguments = caller.next()
            expected = replied(calls[script], keys, arguments)
            actual = replied(partial(model.run, script), keys, arguments)
            if script == "held":
                expected, actual = ([reply[0], sorted(reply[1])] for reply in (expected, actual))
            assert expected == actual, (seed, script, keys, arguments)
            seen.add((script, expected if isinstance(expected, str) else expected[0]))
        for channel, payload in model.take_published():
            message = heard.get_message(timeout=5)
            assert (channel, payload) == (message["channel"], message["data"])
    assert heard.get_message() is None
    heard.close()
    # Every word that a script can answer was answered.
    words = {*_words(), ("read", b"ok"), ("read", b"unknown")}
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
    assert {*SCRIPTS, "read"} == set(MODEL)


def test_time_is_redis_own_where_none_is_given(calls):
    """An empty `now` means the server's clock, to the millisecond."""
    model = RedisModel(lambda: int(time.time() * 1000))
    for script in (calls["renew"], lambda keys, args: model.run("renew", keys, args)):
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
