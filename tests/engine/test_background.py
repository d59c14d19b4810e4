"""The background loop: calls from any thread, prompt interrupts, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import CancelledError

import pytest

from tickertape.engine.background import BackgroundLoop


@pytest.fixture
def loop():
    loop = BackgroundLoop()
    yield loop
    loop.stop()


async def answer(value):
    await asyncio.sleep(0)
    return value


async def raise_error(error):
    raise error


def run_script(script):
    """Run it in a fresh interpreter that takes warnings for errors; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ("", 0) == (done.stderr, done.returncode)
    return done.stdout.split()


def test_a_call_returns_the_result(loop):
    """As if the coroutine were a function."""
    assert 42 == loop.call(answer(42))


def test_a_call_raises_what_the_coroutine_raises(loop):
    """The error crosses the threads."""
    with pytest.raises(LookupError, match="no"):
        loop.call(raise_error(LookupError("no")))


def test_all_callers_share_one_thread(loop):
    """It is started once, by whoever comes first."""

    async def thread():
        return threading.get_ident()

    idents = {loop.call(thread()) for _ in range(3)}
    assert 1 == len(idents)
    assert threading.get_ident() not in idents


def test_cancelling_the_future_cancels_the_coroutine(loop):
    """It is told where it waits."""
    began, cancelled = threading.Event(), threading.Event()

    async def wait():
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    future = loop.submit(wait())
    assert began.wait(10)
    assert future.cancel()
    assert cancelled.wait(10)


def test_a_future_that_is_cancelled_on_the_way_starts_nothing(loop):
    """The coroutine is closed, and no warning is left."""
    blocked, go_on = threading.Event(), threading.Event()

    async def block():
        blocked.set()
        go_on.wait(10)

    ran = []

    async def note():
        ran.append(True)

    blocking = loop.submit(block())
    assert blocked.wait(10)
    future = loop.submit(note())
    assert future.cancel()
    go_on.set()
    blocking.result()
    loop.call(answer(None))
    assert ran == []
    gc.collect()


@pytest.mark.parametrize("is_waiting", [False, True], ids=["while handing over", "while waiting"])
def test_an_interrupt_cancels_the_coroutine(loop, is_waiting):
    """Ctrl-C comes at once, whenever it comes, and stops what it interrupted."""
    cancelled = threading.Event()
    main = threading.main_thread().ident or 0

    async def interrupt():
        if is_waiting:
            await asyncio.to_thread(wait_until_in_result)
        try:
            signal.pthread_kill(main, signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def wait_until_in_result():
        while sys._current_frames()[main].f_code.co_name != "wait":
            pass

    with pytest.raises(KeyboardInterrupt):
        loop.call(interrupt())
    assert cancelled.wait(10)


def test_stop_cancels_what_still_runs(loop):
    """Its caller hears of it, and the thread ends."""
    threads = threading.enumerate()
    began = threading.Event()

    async def wait():
        began.set()
        await asyncio.Event().wait()

    future = loop.submit(wait())
    assert began.wait(10)
    loop.stop()
    with pytest.raises(CancelledError):
        future.result(10)
    assert threads == threading.enumerate()


def test_stop_closes_async_generators(loop):
    """What lives as long as the loop has a place to be closed."""
    closed = []

    async def hold():
        try:
            yield
        finally:
            closed.append(True)

    holder = hold()
    loop.call(next_of(holder))
    loop.stop()
    assert [True] == closed


async def next_of(generator):
    return await anext(generator)


def test_after_a_stop_the_next_call_starts_again(loop):
    """Stopping is no end."""
    loop.call(answer(1))
    loop.stop()
    loop.stop()
    assert 2 == loop.call(answer(2))


@pytest.mark.parametrize("way", ["call", "submit"])
def test_a_call_that_is_refused_leaves_no_coroutine(loop, monkeypatch, way):
    """No thread can be started when the interpreter is shutting down."""

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        getattr(loop, way)(answer(1))
    gc.collect()


def test_an_interrupt_before_handing_over_leaves_no_coroutine(loop, monkeypatch):
    """A warning about one that was never awaited would fail this test."""

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_hand_over", interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.call(answer(1))
    gc.collect()


def test_nothing_is_left_at_exit():
    """A program that forgets a running call ends without a word, its generators closed."""
    printed = run_script(
        """
        import asyncio
        from tickertape.engine.background import background

        async def hold():
            try:
                yield
            finally:
                print(await asyncio.to_thread(lambda: "closed"))

        async def wait(holder):
            await anext(holder)
            print("waiting")
            began.set_result(None)
            await asyncio.Event().wait()

        from concurrent.futures import Future
        began, holder = Future(), hold()
        future = background.submit(wait(holder))
        began.result()
        """
    )
    assert ["waiting", "closed"] == printed


def test_a_forked_child_has_a_loop_of_its_own():
    """Child and parent both go on, and neither disturbs the other."""
    printed = run_script(
        """
        import os, sys, warnings
        from tickertape.engine.background import background

        async def answer(value):
            return value

        background.call(answer(None))
        child = os.fork()
        if not child:
            print("child", background.call(answer(os.getpid())) == os.getpid(), flush=True)
            warnings.simplefilter("ignore", ResourceWarning)  # the parent's loop
            sys.exit(0)
        status = os.waitpid(child, 0)[1]
        print("parent", background.call(answer(status)))
        """
    )
    assert ["child", "True", "parent", "0"] == printed
