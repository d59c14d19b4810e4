"""Handlers for callers in threads: opened once, in each process, and closed in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading

import pytest

from tests.engine.test_background import run_script
from tests.web.conftest import OneModel
from tickertape.core.errors import ConfigurationError
from tickertape.core.request import ChatRequest, Message
from tickertape.engine.background import BackgroundLoop
from tickertape.engine.engine import Engine
from tickertape.logs.memory import MemoryLog
from tickertape.providers.base import Route
from tickertape.testing.scripted import ScriptedProvider
from tickertape.web.handlers import Handlers
from tickertape.web.threaded import ThreadedHandlers, drain_runs

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])


class Opening:
    """Opens handlers, and counts how often and in which tasks."""

    def __init__(self):
        self.entered = []
        self.left = []

    @contextlib.asynccontextmanager
    async def __call__(self):
        self.entered.append(asyncio.current_task())
        try:
            async with Engine(MemoryLog()) as engine:
                yield Handlers(engine, OneModel(ScriptedProvider()))
        finally:
            self.left.append(asyncio.current_task())


@pytest.fixture
def opening():
    return Opening()


@pytest.fixture
def loop():
    loop = BackgroundLoop()
    yield loop
    loop.stop()


@pytest.fixture
def handlers(opening):
    """Handlers on the process's own loop, closed after the test."""
    handlers = ThreadedHandlers(opening)
    yield handlers
    handlers.close()


async def start(engine, provider):
    return (await engine.start([Route(provider, "m")], REQUEST)).run_id


async def make(kind):
    return kind()


def test_nothing_is_opened_before_it_is_asked_for(opening):
    """An application can be loaded and never asked."""
    ThreadedHandlers(opening).close()
    assert [] == opening.entered


def test_all_threads_get_the_same_handlers(handlers, opening):
    """Opened once, whoever comes first."""
    together = threading.Barrier(8)
    got = []

    def ask():
        together.wait(10)
        got.append(handlers.get())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (1, {handlers.get()}) == (len(opening.entered), set(got))


def test_it_is_left_in_the_task_that_entered(handlers, opening):
    """As what it holds may need; and the next call opens it again."""
    first = handlers.get()
    handlers.close()
    assert opening.entered == opening.left
    assert first is not handlers.get()


def test_closing_ends_the_runs(handlers):
    """Their end is in the log: cancelled, by shutdown."""
    engine = handlers.get().engine
    provider = handlers.loop.call(make(ScriptedProvider))
    run_id = handlers.loop.call(start(engine, provider))
    handlers.close()
    ended = handlers.loop.call(engine.snapshot(run_id)).state.ended
    assert ("cancelled", "shutdown") == (ended.outcome, ended.cancelled_by)


def test_a_drain_returns_at_once_and_lets_runs_finish(handlers):
    """No run is taken; the ones there are have their time."""
    engine = handlers.get().engine
    provider = handlers.loop.call(make(ScriptedProvider))
    run_id = handlers.loop.call(start(engine, provider))

    async def finish_when_draining():
        while not engine.is_draining:
            await asyncio.sleep(0)
        provider.stream.finish("Hello")

    drain_runs(40)
    handlers.loop.call(finish_when_draining())
    handlers.close()
    assert "completed" == handlers.loop.call(engine.snapshot(run_id)).state.ended.outcome


def test_a_drain_is_for_what_is_open(opening):
    """Of this process's own loop; nothing is opened for it."""
    ThreadedHandlers(opening)
    drain_runs(0)
    assert [] == opening.entered


def test_on_another_loop_the_owner_of_the_loop_closes(opening, loop):
    """Neither an exit of ours nor a drain goes there."""
    handlers = ThreadedHandlers(opening, loop=loop)
    engine = handlers.get().engine
    drain_runs(0)
    loop.call(make(object))  # what was handed to the loop before has begun
    assert not engine.is_draining
    loop.stop()
    assert opening.entered == opening.left


def test_what_can_not_be_opened_is_tried_again(loop):
    """Each caller hears why."""
    tries = []

    def refuse():
        tries.append(1)
        raise ConfigurationError("nothing is set")

    handlers = ThreadedHandlers(refuse, loop=loop)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="nothing is set"):
            handlers.get()
    assert 2 == len(tries)


def test_at_exit_runs_end_before_the_loop_does():
    """A loop that stops cancels its tasks, and a run would not write its end."""
    printed = run_script(
        """
        import asyncio, contextlib
        from tickertape.core.request import ChatRequest, Message
        from tickertape.engine.background import background
        from tickertape.engine.engine import Engine
        from tickertape.logs.memory import MemoryLog
        from tickertape.providers.base import Route
        from tickertape.testing.scripted import ScriptedProvider
        from tickertape.web.handlers import Handlers
        from tickertape.web.threaded import ThreadedHandlers

        @contextlib.asynccontextmanager
        async def opening():
            async with Engine(MemoryLog()) as engine:
                yield Handlers(engine, models=None)
            for run_id in run_ids:
                print((await engine.snapshot(run_id)).state.ended.cancelled_by)

        async def start(engine):
            request = ChatRequest(messages=[Message(role="user", content="Hi")])
            return (await engine.start([Route(ScriptedProvider(), "m")], request)).run_id

        handlers = ThreadedHandlers(opening)
        run_ids = [background.call(start(handlers.get().engine))]
        """
    )
    assert ["shutdown"] == printed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_opens_its_own():
    """Child and parent both go on, and each closes what it opened."""
    printed = run_script(
        """
        import contextlib, os, sys, warnings
        from tickertape.engine.engine import Engine
        from tickertape.logs.memory import MemoryLog
        from tickertape.web.handlers import Handlers
        from tickertape.web.threaded import ThreadedHandlers

        @contextlib.asynccontextmanager
        async def opening():
            process = os.getpid()
            async with Engine(MemoryLog()) as engine:
                yield Handlers(engine, models=None)
            print("closed", process == os.getpid(), flush=True)

        handlers = ThreadedHandlers(opening)
        first = handlers.get()
        child = os.fork()
        if not child:
            print("child", handlers.get() is not first, flush=True)
            warnings.simplefilter("ignore", ResourceWarning)  # the parent's loop
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("parent", handlers.get() is first)
        """
    )
    assert ["child", "True", "closed", "True", "parent", "True", "closed", "True"] == printed
