"""Whole programs that use the script functions: forks, Ctrl-C, and what is left at exit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tickertape.testing.answers import Answer
from tickertape.testing.faults import Faults, Stall
from tickertape.testing.scenarios import Turn

TIMEOUT_S = 40.0

PREAMBLE = """
import asyncio, os, sys, threading
from pathlib import Path

def left():
    '''Threads beside this one, and sockets.'''
    threads = [each for each in threading.enumerate() if each is not threading.current_thread()]
    files = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return threads, [each for each in files if each.startswith("socket:")]

import atexit
atexit.register(lambda: print("left:", *left(), flush=True))  # the last one to be called

from tickertape import StreamCollector, TickertapeError, async_stream_chat, stream_chat
messages = [{"role": "user", "content": "Hi"}]
"""
NOTHING_LEFT = "left: [] []"


@pytest.fixture
def start(fault_server):
    """Start a script that has the provider in its environment, and end it with the test."""
    processes = []

    def start_script(script):
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PREAMBLE + textwrap.dedent(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONASYNCIODEBUG": ""},
        )
        processes.append(process)
        return process

    yield start_script
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def printed_by(start):
    """Run a script to its end, without a word on stderr; return the lines that it printed."""

    def run(script):
        process = start(script)
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert ("", 0) == (err, process.returncode)
        return out.splitlines()

    return run


def test_a_script_that_read_to_the_end_leaves_nothing(printed_by):
    """Neither the connection that was kept, nor the thread that served it."""
    script = """
        assert "".join(stream_chat(messages))
        print(len(left()[0]), len(left()[1]) > 0)
    """
    assert ["1 True", NOTHING_LEFT] == printed_by(script)


@pytest.mark.parametrize(
    "leave",
    ["del stream", "stream.close()", "stream.cancel()", "pass"],
    ids=["dropped", "closed", "cancelled", "held"],
)
def test_a_script_that_left_early_leaves_nothing(printed_by, fault_server, leave):
    """However it left; the provider is told to stop."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    script = f"""
        stream = stream_chat(messages)
        next(stream)
        {leave}
    """
    assert [NOTHING_LEFT] == printed_by(script)
    assert 3 == fault_server.next_exchange().result().hung_up().result()


@pytest.mark.parametrize("leave", ["del stream", "await stream.close()", "return stream"])
def test_an_async_script_that_left_early_leaves_nothing(printed_by, fault_server, leave):
    """Its loop closes what was dropped, and what is still held when it ends."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    script = f"""
        async def main():
            stream = async_stream_chat(messages)
            await anext(stream)
            {leave}
        stream = asyncio.run(main())
        print("left:", *left())
    """
    assert [NOTHING_LEFT, NOTHING_LEFT] == printed_by(script)
    assert 3 == fault_server.next_exchange().result().hung_up().result()


def test_an_error_that_nobody_catches_leaves_nothing(start, fault_server):
    """Only its own traceback."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    process = start("StreamCollector().collect(stream_chat(messages), on_chunk=lambda _: 1 / 0)")
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (1, NOTHING_LEFT) == (process.returncode, out.strip())
    assert err.strip().endswith("ZeroDivisionError: division by zero")
    assert 1 == err.count("Traceback")


SYNC = """
    for text in stream_chat(messages):
        pass
"""
ASYNC = """
    async def main():
        async for text in async_stream_chat(messages):
            pass
    asyncio.run(main())
"""


@pytest.mark.parametrize("script", [SYNC, ASYNC], ids=["sync", "async"])
@pytest.mark.parametrize("fault", [Stall(), Stall(after_chunks=3)], ids=["silent", "stalled"])
def test_ctrl_c_ends_a_script(start, fault_server, script, fault):
    """While the model is silent: the connection is closed, and there is one traceback."""
    fault_server.play(Faults(failure=fault))
    process = start(script)
    exchange = fault_server.next_exchange(timeout_s=TIMEOUT_S).result()
    exchange.stalled().result()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (-signal.SIGINT, NOTHING_LEFT) == (process.returncode, out.strip())
    assert err.strip().endswith("KeyboardInterrupt")
    exchange.hung_up().result()


def test_a_script_may_fork_in_the_middle_of_an_answer(printed_by, fault_server):
    """Child and parent stream on their own; the parent's stream is the parent's alone."""
    fault_server.play(
        Turn(answer=Answer(text=("Hel", "lo")), faults=Faults(failure=Stall(after_chunks=2))),
        Answer(text="child"),
        Answer(text="parent"),
    )
    script = """
        stream = stream_chat(messages)
        print(next(stream), flush=True)
        child = os.fork()
        if not child:
            import warnings
            warnings.simplefilter("ignore", ResourceWarning)  # what the parent holds open
            try:
                next(stream)
            except TickertapeError as error:
                print("forked" in str(error))
            print("".join(stream_chat(messages)), flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("".join(stream_chat(messages)))
        stream.cancel()
        print(list(stream), stream.response.outcome)
    """
    lines = printed_by(script)
    assert ["Hel", "True", "child", "parent", "[] cancelled", NOTHING_LEFT] == lines
    connections = [exchange.connection for exchange in fault_server.exchanges]
    assert 3 == len(set(connections))


def test_a_forked_worker_streams_and_exits_by_itself(printed_by, fault_server):
    """As the children of a pre-forking server do, whose parent has streamed already."""
    script = """
        assert "".join(stream_chat(messages))
        child = os.fork()
        text = "".join(stream_chat(messages))
        if child:
            assert os.waitpid(child, 0)[1] == 0
        print("child" if not child else "parent", bool(text), flush=True)
        if not child:
            import warnings
            warnings.simplefilter("ignore", ResourceWarning)  # what the parent holds open
            sys.stderr.close()
    """
    lines = printed_by(script)
    assert {"child True", "parent True"} < set(lines)
    assert NOTHING_LEFT == lines[-1]
    first, *others = [exchange.connection for exchange in fault_server.exchanges]
    assert 2 == len({first, *others})


def test_threads_and_a_running_loop_at_once(printed_by, fault_server):
    """A notebook's loop, its worker threads and an async stream do not wait for each other."""
    fault_server.play(Answer(text="Hello"))
    script = """
        async def main():
            threads = [asyncio.to_thread(lambda: "".join(stream_chat(messages))) for _ in range(4)]
            here = "".join(stream_chat(messages))  # blocks the loop, as a cell does
            texts = await asyncio.gather(*threads)
            response = await StreamCollector().async_collect(async_stream_chat(messages))
            print({here, response.content, *texts})
        asyncio.run(main())
    """
    assert ["{'Hello'}", NOTHING_LEFT] == printed_by(script)
