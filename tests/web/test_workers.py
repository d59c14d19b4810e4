"""Several workers on one port, as real processes: any serves any run; none outlives its parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE

import aiohttp
import pytest

from tickertape.testing.answers import Answer
from tickertape.testing.fault_server import FaultServer
from tickertape.testing.faults import Faults, Stall
from tickertape.testing.scenarios import Turn
from tickertape.web.workers import RESTARTS, restart_wait_s

pytestmark = pytest.mark.timeout(120)  # each starts several interpreters

PROVIDERS = ("AZURE_", "OPENAI_", "TICKERTAPE_")
OURS = {name: value for name, value in os.environ.items() if not name.startswith(PROVIDERS)}
QUESTION = {"messages": [{"role": "user", "content": "Hi"}]}
ANSWER = Answer(text=("one ", "two ", "three"))
STALLED = Turn(answer=ANSWER, faults=Faults(failure=Stall(after_chunks=3)))


class Connection:
    """One kept-alive connection, and so one worker."""

    def __init__(self, url, session, pid):
        self.url = url
        self.pid = pid
        self._session = session

    async def start(self):
        """Start a run; return its answer, of which the first text has come, and that."""
        response = await self._session.post(f"{self.url}/chat/stream", json=QUESTION)
        assert 200 == response.status
        received = b""
        while b"one " not in received:
            received += await response.content.readany()
        return response, received

    def tail(self, response, **headers):
        """Read the run of another answer, wherever it was started."""
        return self._session.get(self.url + response.headers["location"], headers=headers)

    def cancel(self, response):
        return self._session.delete(self.url + response.headers["location"])

    async def is_ready(self):
        async with self._session.get(f"{self.url}/readyz") as response:
            return 200 == response.status

    async def is_left(self):
        """Wait until the worker has ended: its connection is closed, or is refused."""
        with contextlib.suppress(aiohttp.ClientError):
            while True:
                async with self._session.get(f"{self.url}/healthz") as response:
                    if self.pid != (await response.json())["pid"]:
                        return


class Server:
    """`tickertape serve` with workers. The test owns the parent, and the parent the workers."""

    def __init__(self, process, stack):
        self.process = process
        self.url = ""
        self._stack = stack
        self.out = b""
        self.err = b""

    async def says(self, words):
        """Wait until it has said the words on stdout."""
        while words not in self.out:
            line = await self.process.stdout.readline()
            assert line, (self.out, await self.process.stderr.read())
            self.out += line

    async def logs(self, words):
        """Wait until it has logged the words."""
        while words not in self.err:
            line = await self.process.stderr.readline()
            assert line, self.err
            self.err += line

    async def connect(self):
        """Open a connection; some worker takes it."""
        connector = aiohttp.TCPConnector(limit=1)
        session = await self._stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        async with session.get(f"{self.url}/healthz") as response:
            return Connection(self.url, session, (await response.json())["pid"])

    async def both(self):
        """Open a connection to each of two workers."""
        one = await self.connect()
        # A worker that is stopped takes nobody: the next one is the other's.
        os.kill(one.pid, signal.SIGSTOP)
        try:
            other = await self.connect()
        finally:
            os.kill(one.pid, signal.SIGCONT)
        assert one.pid != other.pid
        return one, other

    async def ends(self):
        """Wait until it and all who write to its stderr have ended; return the exit code."""
        self.err += await self.process.stderr.read()
        return await self.process.wait()


@pytest.fixture
def provider():
    with FaultServer.in_thread() as server:
        yield server


@pytest.fixture
async def launch(provider):
    """Return a function that starts `tickertape serve` with options."""
    async with contextlib.AsyncExitStack() as stack:

        async def launch(*options):
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "tickertape", "serve", *options],
                env=OURS | provider.openai_environment | {"TICKERTAPE_MODEL": "m"},
                stdout=PIPE,
                stderr=PIPE,
            )
            stack.push_async_callback(end, process)
            return Server(process, stack)

        yield launch


async def end(process):
    """End the parent, whose workers follow it."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
    await process.communicate()
    process._transport.close()


@pytest.fixture
async def serve(launch, redis_server):
    """Return a function that starts two workers, and waits until they serve."""

    async def serve(*options):
        server = await launch(
            "--workers",
            "2",
            "--port",
            "0",
            "--log",
            redis_server.url,
            "--lease-term-s",
            "1",
            *options,
        )
        await server.says(b"Ctrl-C stops it")
        server.url = re.findall(rb"http://\S+", server.out)[0].decode()
        return server

    return serve


async def test_p1_p8_any_worker_serves_any_run(serve, provider):
    """What one starts, another tails from the beginning and from any cursor, to its end."""
    provider.play(STALLED)
    server = await serve()
    assert 1 == server.out.count(b"Tickertape serves at ")
    one, other = await server.both()
    first, received = await one.start()
    exchange = await provider.next_exchange()
    async with other.tail(first) as whole:
        exchange.resume()
        read = await whole.read()
    assert read.endswith(b"data: [DONE]\n\n")
    assert b'"outcome":"completed"' in read
    assert read.count(b'"outcome"') == 1
    assert (received + await first.read()).endswith(b"data: [DONE]\n\n")
    async with other.tail(first, **{"Last-Event-ID": "1"}) as rest:
        assert b"one " not in await rest.read()


async def test_p4_any_worker_cancels_any_run(serve, provider):
    """The provider's connection is closed, and the run's reader is told."""
    provider.play(STALLED)
    server = await serve()
    one, other = await server.both()
    response, received = await one.start()
    exchange = await provider.next_exchange()
    async with other.cancel(response) as cancelled:
        assert "cancelled" == (await cancelled.json())["outcome"]
    await exchange.hung_up()
    assert b'"cancelled_by":"user"' in received + await response.read()


async def test_p5_a_killed_workers_readers_are_told_by_another_and_it_is_replaced(serve, provider):
    """`producer_lost`, after the text so far; two workers serve again."""
    provider.play(STALLED)
    server = await serve()
    one, other = await server.both()
    response, _ = await one.start()
    await (await provider.next_exchange()).stalled()
    async with other.tail(response) as tailed:
        os.kill(one.pid, signal.SIGKILL)
        read = await tailed.read()
    assert b"one " in read
    assert b'"code":"producer_lost"' in read
    assert read.endswith(b"data: [DONE]\n\n")
    response.close()
    await server.logs(f"worker {one.pid} (signal 9) ended; another starts".encode())
    os.kill(other.pid, signal.SIGSTOP)
    try:
        third = await server.connect()
    finally:
        os.kill(other.pid, signal.SIGCONT)
    assert third.pid not in {one.pid, other.pid}


async def test_sigterm_drains_every_worker(serve, provider):
    """Answers in both are finished, new ones refused, and the exit is clean."""
    provider.play(STALLED)
    server = await serve("--drain-s", "60")
    responses = [await worker.start() for worker in await server.both()]
    exchanges = [await provider.next_exchange() for _ in responses]
    server.process.send_signal(signal.SIGTERM)
    probe = await server.connect()
    while await probe.is_ready():
        pass
    for exchange in exchanges:
        exchange.resume()
    for response, received in responses:
        received += await response.read()
        assert b'"outcome":"completed"' in received
        assert received.endswith(b"data: [DONE]\n\n")
    assert (0, b"") == (await server.ends(), no_info(server.err))


async def test_a_second_signal_ends_the_runs_of_every_worker(serve, provider):
    """At once; their readers are told."""
    provider.play(STALLED)
    server = await serve("--drain-s", "3600")
    responses = [await worker.start() for worker in await server.both()]
    server.process.send_signal(signal.SIGINT)
    await server.logs(b"draining")
    server.process.send_signal(signal.SIGINT)
    for response, received in responses:
        assert b'"cancelled_by":"shutdown"' in received + await response.read()
    assert 0 == await server.ends()


async def test_whoever_signals_all_processes_drains_them_all_the_same(serve, provider):
    """As systemd does: the parent's order after a worker's own signal is no second one."""
    provider.play(STALLED)
    server = await serve("--drain-s", "60")
    workers = await server.both()
    responses = [await worker.start() for worker in workers]
    exchanges = [await provider.next_exchange() for _ in responses]
    for pid in (workers[0].pid, workers[1].pid, server.process.pid):
        os.kill(pid, signal.SIGTERM)
    await server.logs(b"draining")
    for exchange in exchanges:
        exchange.resume()
    for response, received in responses:
        assert b'"outcome":"completed"' in received + await response.read()
    assert 0 == await server.ends()


async def test_orphans_leave_the_port_drain_and_end(serve, provider):
    """Their parent was killed: the answer that one writes is finished, and nobody lingers."""
    provider.play(STALLED)
    server = await serve("--drain-s", "60")
    one, _ = await server.both()
    response, received = await one.start()
    exchange = await provider.next_exchange()
    server.process.kill()  # and not waited for: asyncio waits for the pipes' ends, too
    while is_taken(server.url):
        await asyncio.sleep(0)
    exchange.resume()
    received += await response.read()
    assert b'"outcome":"completed"' in received
    await server.ends()  # all of them have closed it


async def test_a_worker_that_is_told_to_end_is_drained_and_replaced(serve):
    """So workers can be replaced one by one."""
    server = await serve()
    one, _ = await server.both()
    os.kill(one.pid, signal.SIGTERM)
    await one.is_left()
    await server.logs(f"worker {one.pid} (exit code 0) ended; another starts".encode())


async def test_p10_without_its_redis_a_server_is_alive_and_not_ready(serve, redis_server):
    """It says which of its parts is away, and not where that is."""
    server = await serve()
    probe = await server.connect()
    assert await probe.is_ready()
    redis_server.kill()
    async with probe._session.get(f"{server.url}/readyz") as response:
        error = (await response.json())["error"]
        assert (503, "log_unavailable") == (response.status, error["code"])
        assert "127.0.0.1" not in error["message"]
    async with probe._session.get(f"{server.url}/healthz") as response:
        assert probe.pid == (await response.json())["pid"]
    await server.logs(b"LogUnavailable: ")


async def test_a_port_in_use_is_named(launch):
    """In one line, before any worker starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = await launch("--workers", "2", "--port", port, "--log", "redis://127.0.0.1:1")
        assert 1 == await server.ends()
    assert port.encode() in server.err
    assert 1 == server.err.count(b"\n")


async def test_what_keeps_workers_from_starting_is_said_once(launch):
    """In a worker's own words, without its password; the exit says that it failed."""
    server = await launch("--workers", "2", "--port", "0", "--log", "redis://:secret@127.0.0.1:1")
    assert 1 == await server.ends()
    lines = [line for line in server.err.splitlines() if line.startswith(b"tickertape: ")]
    assert 1 == len(lines)
    assert b"127.0.0.1:1" in lines[0]
    assert b"secret" not in server.err
    assert b"Traceback" not in server.err


async def test_several_workers_without_a_log_to_share_are_refused(launch):
    """With both ways out, in one line."""
    server = await launch("--workers", "2", "--log", "memory")
    assert 1 == await server.ends()
    assert b"redis://HOST:PORT, or use one worker" in server.err
    assert 1 == server.err.count(b"\n")


def test_workers_are_given_up_only_when_none_serves():
    """Waits grow to their longest; while another worker serves, they go on for ever."""
    many = RESTARTS.max_retries + 1
    assert 0.5 == restart_wait_s(1, others_serve=False, fraction=1.0)
    assert RESTARTS.longest_s == restart_wait_s(many - 1, others_serve=False, fraction=1.0)
    assert RESTARTS.longest_s == restart_wait_s(many, others_serve=True, fraction=0.0)
    assert restart_wait_s(many, others_serve=False, fraction=0.0) is None


def no_info(log):
    """Return what was logged beside what is no news."""
    return b"".join(line for line in log.splitlines(True) if b" INFO " not in line)


def is_taken(url):
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
            probe.listen()
        except OSError:
            return True
    return False
