"""The Flask example under a real gunicorn: streams, readers that leave, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
import pytest

from tickertape.core.sse import SseDecoder
from tickertape.testing.fault_server import Answer, Faults, FaultServer, Stall
from tickertape.testing.scenarios import Turn

ROOT = Path(__file__).parents[2]
APP = "examples.flask_app:app"
WORKER = ("--worker-class", "tickertape.web.gunicorn.Worker")
GTHREAD = ("--worker-class", "gthread")
PROVIDERS = ("AZURE_", "OPENAI_", "TICKERTAPE_")
OURS = {name: value for name, value in os.environ.items() if not name.startswith(PROVIDERS)}
HELLO = {"messages": [{"role": "user", "content": "Hi"}]}
STALLED = Turn(
    answer=Answer(text=("one ", "two ", "three")), faults=Faults(failure=Stall(after_chunks=3))
)


class Gunicorn:
    """A running gunicorn, and a client's requests to it."""

    def __init__(self, process, url, session):
        self.process = process
        self.url = url
        self.session = session
        self.log = b""

    def start(self, **options):
        return self.session.post(f"{self.url}/chat/stream", json=HELLO, **options)

    def tail(self, run_id, **options):
        return self.session.get(f"{self.url}/chat/stream/{run_id}", **options)

    async def health(self):
        async with self.session.get(f"{self.url}/healthz") as response:
            return await response.json()

    async def logs(self, words):
        """Wait until it has logged the words."""
        while words not in self.log:
            line = await self.process.stderr.readline()
            assert line, f"gunicorn ended and did not log {words!r}: {self.log!r}"
            self.log += line

    async def ends(self):
        """Wait for its end; return the exit code. It may have logged no error."""
        self.log += await self.process.stderr.read()
        assert b"Traceback" not in self.log
        return await self.process.wait()


@pytest.fixture
def provider():
    with FaultServer.in_thread() as server:
        yield server


@pytest.fixture
async def gunicorn(provider):
    """Start gunicorn with the options; stop it after the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def run(*options, app=APP, environment=None):
            environment = provider.openai_environment | (environment or {})
            return await stack.enter_async_context(running(options, app, environment))

        yield run


@contextlib.asynccontextmanager
async def running(options, app, environment):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "gunicorn", "--no-control-socket"],
            *["--bind", f"fd://{listener.fileno()}"],
            *options,
            app,
            cwd=ROOT,
            env=OURS | {"TICKERTAPE_MODEL": "m"} | environment,
            pass_fds=[listener.fileno()],
            stderr=PIPE,
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        server = Gunicorn(process, url, session)
        try:
            yield server
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGQUIT)
            await server.ends()


async def read_until(response, piece):
    received = b""
    while piece not in received:
        chunk = await response.content.readany()
        assert chunk, f"the stream ended without {piece!r}: {received!r}"
        received += chunk
    return received


def payloads(body):
    return [json.loads(e.data) for e in SseDecoder().feed(body) if e.data != "[DONE]"]


def text_of(body):
    return "".join(payload.get("content", "") for payload in payloads(body))


@pytest.mark.parametrize("worker", [WORKER, GTHREAD], ids=["ours", "gthread"])
@pytest.mark.parametrize("threads", ["1", "2"])
async def test_text_arrives_while_the_provider_still_writes(gunicorn, provider, worker, threads):
    """Each piece is there before the next is sent; the end comes with the end."""
    provider.play(STALLED)
    server = await gunicorn(*worker, "--threads", threads)
    async with server.start() as response:
        received = await read_until(response, b"two")
        exchange = await provider.next_exchange()
        await exchange.stalled()
        exchange.resume()
        received += await response.read()
    assert "one two three" == text_of(received)
    assert ("completed", True) == (payloads(received)[-1]["outcome"], b"[DONE]" in received)


async def test_p1_a_reader_comes_back_and_is_connected_before_there_is_more(gunicorn, provider):
    """Headers at once, though the run says nothing; then exactly the rest. One thread does."""
    provider.play(STALLED)
    server = await gunicorn(*WORKER, "--threads", "1")
    async with server.start() as response:
        received = await read_until(response, b"two")
        run_id = response.headers["location"].rpartition("/")[2]
    cursor = SseDecoder().feed(received)[-1].id
    before_any_heartbeat = aiohttp.ClientTimeout(10)
    headers = {"Last-Event-ID": cursor}
    async with server.tail(run_id, headers=headers, timeout=before_any_heartbeat) as response:
        assert 200 == response.status
        (await provider.next_exchange()).resume()
        assert "three" == text_of(await response.read())


async def test_p4_cancel_stops_the_provider_and_tells_the_reader(gunicorn, provider):
    """From another thread, while the provider is silent."""
    provider.play(STALLED)
    server = await gunicorn(*WORKER, "--threads", "2")
    async with server.start() as response:
        received = await read_until(response, b"two")
        url = f"{server.url}{response.headers['location']}"
        async with server.session.delete(url) as cancelled:
            assert "cancelled" == (await cancelled.json())["outcome"]
        received += await response.read()
    assert ("cancelled", "user") == tuple(
        payloads(received)[-1][name] for name in ("outcome", "cancelled_by")
    )
    await (await provider.next_exchange()).hung_up()


@pytest.mark.parametrize("worker", [WORKER, GTHREAD], ids=["ours", "gthread"])
async def test_p4_readers_that_leave_free_their_threads_and_stop_nothing(
    gunicorn, provider, worker
):
    """Three times as many as there are threads; all runs go on, and the next is answered."""
    provider.play(STALLED)
    server = await gunicorn(*worker, "--threads", "2")
    for _ in range(6):
        async with server.start() as response:
            await read_until(response, b"two")
            response.close()
    assert 6 == (await server.health())["running_runs"]


async def test_on_sigterm_readers_get_the_end_of_their_runs(gunicorn, provider):
    """Cancelled by shutdown, in a stream that is whole; then gunicorn ends well."""
    provider.play(STALLED)
    server = await gunicorn(*WORKER, "--threads", "2", "--graceful-timeout", "5")
    async with server.start() as response:
        received = await read_until(response, b"two")
        server.process.terminate()
        received += await response.read()
    assert ("cancelled", "shutdown") == tuple(
        payloads(received)[-1][name] for name in ("outcome", "cancelled_by")
    )
    assert b"[DONE]" in received
    assert 0 == await server.ends()


async def test_on_sigterm_answers_may_finish(gunicorn, provider, tmp_path):
    """Up to the graceful timeout, less a margin."""
    provider.play(STALLED)
    (tmp_path / "talkative.py").write_text(
        "import logging\n"
        "from examples.flask_app import app\n"
        "logging.basicConfig(level=logging.INFO)\n"
    )
    server = await gunicorn(
        *WORKER, "--graceful-timeout", "45", "--pythonpath", str(tmp_path), app="talkative:app"
    )
    async with server.start() as response:
        received = await read_until(response, b"two")
        server.process.terminate()
        await server.logs(b"draining: waiting up to 40 s for 1 runs")
        (await provider.next_exchange()).resume()
        received += await response.read()
    assert ("one two three", "completed") == (text_of(received), payloads(received)[-1]["outcome"])
    assert 0 == await server.ends()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
async def test_a_quick_stop_ends_the_runs_first(gunicorn, provider, number):
    """Ctrl-C does not wait for readers, and does not cut them off."""
    provider.play(STALLED)
    server = await gunicorn(*WORKER, "--threads", "2")
    async with server.start() as response:
        received = await read_until(response, b"two")
        server.process.send_signal(number)
        received += await response.read()
    assert "shutdown" == payloads(received)[-1]["cancelled_by"]
    assert 0 == await server.ends()


@pytest.mark.parametrize("worker", [WORKER, GTHREAD], ids=["ours", "gthread"])
async def test_on_sigterm_runs_without_readers_end_at_once(gunicorn, provider, worker):
    """Nobody could read them later: the provider's connection is closed, and gunicorn ends."""
    provider.play(STALLED)
    server = await gunicorn(*worker, "--threads", "2")
    async with server.start(headers={"Prefer": "respond-async"}) as response:
        assert 202 == response.status
    exchange = await provider.next_exchange()
    await exchange.stalled()
    server.process.terminate()
    await exchange.hung_up()
    assert 0 == await server.ends()


async def test_each_worker_has_an_engine_of_its_own(gunicorn, provider, tmp_path):
    """Even if the application was loaded, and asked something, before the fork."""
    (tmp_path / "early.py").write_text(
        "from examples.flask_app import app\n"
        "assert app.test_client().get('/healthz').status_code == 200\n"
    )
    server = await gunicorn(
        *WORKER, "--threads", "2", "--workers", "2", "--preload", "--pythonpath", str(tmp_path),
        app="early:app",
    )  # fmt: skip
    for _ in range(4):
        async with server.start() as response:
            assert "completed" == payloads(await response.read())[-1]["outcome"]


async def test_without_a_provider_requests_are_refused_and_the_worker_lives(gunicorn):
    """The reader gets no hint; the operator's log says the way out."""
    environment = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "", "AZURE_OPENAI_ENDPOINT": "nonsense"}
    server = await gunicorn(*WORKER, "--threads", "2", environment=environment)
    for _ in range(2):
        async with server.start() as response:
            assert 500 == response.status
            assert "not_configured" == (await response.json())["error"]["code"]


async def test_p2_a_feed_whose_log_goes_away_breaks_off(gunicorn, provider, tmp_path):
    """The body has no end, gunicorn says nothing of it, and we say it once."""
    provider.play(STALLED)
    (tmp_path / "away.py").write_text(
        "from flask import Flask\n"
        "from tickertape.core.errors import LogUnavailable\n"
        "from tickertape.logs.memory import MemoryLog\n"
        "from tickertape.web.assembly import open_handlers\n"
        "from tickertape.web.flask import chat_blueprint\n"
        "class Away(MemoryLog):\n"
        "    async def read(self, run_id, *, after, limit=1024):\n"
        "        if after > 0:\n"
        "            raise LogUnavailable('no answer')\n"
        "        return await super().read(run_id, after=after, limit=limit)\n"
        "app = Flask('away')\n"
        "app.register_blueprint(chat_blueprint(handlers=lambda: open_handlers(log=Away())))\n"
    )
    server = await gunicorn(
        *WORKER, "--threads", "4", "--pythonpath", str(tmp_path), app="away:app"
    )
    async with server.start() as first:
        await read_until(first, b"two")
        exchange = await provider.next_exchange()
        async with server.tail(first.headers["location"].rpartition("/")[2]) as second:
            await read_until(second, b"two")
            exchange.resume()
            for response in (first, second):
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.read()
    server.process.terminate()
    assert 0 == await server.ends()
    assert 1 == server.log.count(b"no answer")


async def test_p8_workers_share_a_log_in_redis(gunicorn, provider, redis_server):
    """Named by the environment: a run that one worker writes is read and stopped by the other."""
    provider.play(STALLED)
    server = await gunicorn(
        *WORKER, "--threads", "4", "--workers", "2",
        environment={"TICKERTAPE_LOG": redis_server.url},
    )  # fmt: skip
    async with server.start() as response:
        received = await read_until(response, b"two")
        run_id = response.headers["location"].rpartition("/")[2]
        pids = set()
        while len(pids) < 2:
            pids.add((await server.health())["pid"])
            async with server.tail(run_id, headers={"Accept": "application/json"}) as described:
                assert "one two " == (await described.json())["content"][:8]
        place = f"{server.url}/chat/stream/{run_id}"
        async with server.session.delete(place) as cancelled:
            assert "cancelled" == (await cancelled.json())["outcome"]
        received += await response.read()
    assert "user" == payloads(received)[-1]["cancelled_by"]
