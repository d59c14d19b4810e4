"""Behind a real nginx, with its default buffering: what comes, comes at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import zlib
from pathlib import Path

import aiohttp
import pytest

from tests.web.nginx_server import Nginx
from tests.web.serve_process import serve_processes
from tickertape.testing.answers import Answer, default_words
from tickertape.testing.faults import Faults, Stall

DOCUMENT = Path(__file__).parents[2] / "docs" / "behind-nginx.md"
QUESTION = {"messages": [{"role": "user", "content": "Hi"}], "model": "openai/m"}
WORDS = default_words(24)
PATIENCE_S = 20.0
BARE = """
server {
  listen 127.0.0.1:{port} OPTIONS;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  location / { proxy_pass BACKEND; MORE }
}
"""


def bare(backend, *, listen="", more=""):
    """Return nginx's defaults, and what a test adds."""
    return BARE.replace("BACKEND", backend).replace("OPTIONS", listen).replace("MORE", more)


def documented(backend):
    """Return the configuration of the documentation, with its addresses exchanged."""
    text = re.findall(r"```nginx\n(.+?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    for written, used in {
        "127.0.0.1:8000": backend.removeprefix("http://"),
        "listen 443 ": "listen 127.0.0.1:{port} ",
        "/etc/ssl/chat.pem": "{certificate}",
        "/etc/ssl/chat.key": "{key}",
    }.items():
        assert 1 == text.count(written), written
        text = text.replace(written, used)
    return text


class Curl:
    """A running curl, read as it prints. Its output has the headers first."""

    def __init__(self, process):
        self._process = process
        self.received = b""

    async def until(self, expected):
        """Read until it has printed this."""
        while expected not in self.received:
            await self.until_more()

    async def until_more(self):
        """Read what it prints next."""
        piece = await asyncio.wait_for(self._process.stdout.read(65536), PATIENCE_S)
        assert piece, self.received
        self.received += piece

    async def rest(self):
        """Read to the end, and return the exit status with all that it has printed."""
        self.received += await asyncio.wait_for(self._process.stdout.read(), PATIENCE_S)
        return await self._process.wait(), self.received

    async def leave(self):
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()


class Site:
    """What a test has of an nginx: how to ask it."""

    def __init__(self, url, options):
        self.url = url
        self._options = options
        self._curls = []

    async def ask(self, path, *options, body=None):
        """Start a curl."""
        given = ["-sNi", "--noproxy", "*", *self._options, *options]
        if body is not None:
            given += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        process = await asyncio.create_subprocess_exec(
            "curl", *given, self.url + path, stdout=asyncio.subprocess.PIPE
        )
        self._curls.append(Curl(process))
        return self._curls[-1]

    async def start(self, *options):
        return await self.ask("/chat/stream", *options, body=QUESTION)

    async def leave(self):
        for curl in self._curls:
            await curl.leave()


@pytest.fixture
async def open_site(fault_server, tmp_path):
    """Return a function that puts an nginx in front of a server."""
    if shutil.which("curl") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("curl is not installed")
        pytest.skip("curl is not installed")
    async with contextlib.AsyncExitStack() as stack:
        start = await stack.enter_async_context(serve_processes(fault_server, tmp_path))

        async def open_site(configure=bare, *options, scheme="http", **settings):
            _, backend = await start(log="memory", **settings)
            nginx = stack.enter_context(Nginx(tmp_path / "nginx", configure(backend)))
            url = f"{scheme}://127.0.0.1:{nginx.port}"
            site = Site(url, ["--cacert", str(nginx.authority), *options])
            stack.push_async_callback(site.leave)
            return site

        yield open_site


WAYS = {
    "nginx's defaults": (bare, ["--http1.1"], "http", b"HTTP/1.1 200"),
    "nginx's defaults, TLS": (
        lambda backend: bare(backend, listen="ssl"),
        ["--http1.1"],
        "https",
        b"HTTP/1.1 200",
    ),
    "as documented, HTTP/1.1": (documented, ["--http1.1"], "https", b"HTTP/1.1 200"),
    "as documented, HTTP/2": (documented, ["--http2"], "https", b"HTTP/2 200"),
}


@pytest.fixture(params=WAYS)
async def site(open_site, request):
    """A server behind nginx, reached in one of the ways."""
    configure, options, scheme, status = WAYS[request.param]
    site = await open_site(configure, *options, scheme=scheme)
    site.status = status
    return site


def text_of(received):
    return "".join(json.loads(f'"{each}"') for each in re.findall(r'"content":"(.*?)"', received))


def run_id_of(curl):
    return re.findall(rb"(?i)location: /chat/stream/(\S+)", curl.received)[0].decode()


@pytest.mark.parametrize("chunks", [2, 5, 20])
async def test_text_arrives_before_the_next_is_there(site, fault_server, chunks):
    """Each word that the provider has said is read while it says nothing more."""
    fault_server.play(Faults(failure=Stall(after_chunks=chunks)))
    curl = await site.start()
    exchange = await fault_server.next_exchange()
    await curl.until(WORDS[chunks - 2].encode())
    assert exchange.ended_by is None
    exchange.resume()
    status, received = await curl.rest()
    assert received.startswith(site.status)
    assert "".join(WORDS) == text_of(received.decode())
    assert received.endswith(b"data: [DONE]\n\n")
    assert 0 == status


async def test_p1_a_reader_resumes_through_it(site, fault_server):
    """The run goes on while nobody reads; the rest follows what was read."""
    fault_server.play(Faults(failure=Stall(after_chunks=5)))
    curl = await site.start()
    exchange = await fault_server.next_exchange()
    await curl.until(WORDS[3].encode())
    await curl.until(b"\n\n: hb" if curl.received[-2:] != b"\n\n" else b"\n\n")
    await curl.leave()
    exchange.resume()
    read = curl.received.decode()
    cursor = re.findall(r"^id: (\S+)$", read, re.MULTILINE)[-1]
    again = await site.ask(f"/chat/stream/{run_id_of(curl)}", "-H", f"Last-Event-ID: {cursor}")
    _, received = await again.rest()
    assert "".join(WORDS) == text_of(read) + text_of(received.decode())


async def test_p4_cancel_works_through_it(site, fault_server):
    """While the provider is silent: its connection is closed, and readers are told."""
    fault_server.play(Faults(failure=Stall(after_chunks=5)))
    curl = await site.start()
    exchange = await fault_server.next_exchange()
    await curl.until(WORDS[3].encode())
    cancelling = await site.ask(f"/chat/stream/{run_id_of(curl)}", "-X", "DELETE")
    _, cancelled = await cancelling.rest()
    assert b'"outcome":"cancelled"' in cancelled
    _, received = await curl.rest()
    assert b'"cancelled_by":"user"' in received
    await exchange.hung_up()


async def test_p5_heartbeats_keep_a_silent_stream_open(open_site, fault_server):
    """For longer than nginx waits for a server that says nothing."""
    fault_server.play(Faults(failure=Stall(after_chunks=5)))

    def impatient(backend):
        return bare(backend, more="proxy_read_timeout 1s;")

    site = await open_site(impatient, heartbeat_s=0.3)
    curl = await site.start()
    exchange = await fault_server.next_exchange()
    await curl.until(b": hb\n" * 7)
    exchange.resume()
    _, received = await curl.rest()
    assert b'"outcome":"completed"' in received


async def test_p2_a_stream_that_nginx_cuts_has_no_end(open_site, fault_server):
    """A timeout below the heartbeat: the reader sees that the answer is not whole, and resumes."""
    fault_server.play(Faults(failure=Stall(after_chunks=5)))

    def impatient(backend):
        return bare(backend, more="proxy_read_timeout 1s;")

    site = await open_site(impatient)
    curl = await site.start()
    exchange = await fault_server.next_exchange()
    _, received = await curl.rest()
    assert b"outcome" not in received
    exchange.resume()
    again = await site.ask(f"/chat/stream/{run_id_of(curl)}")
    assert "".join(WORDS) == text_of((await again.rest())[1].decode())


async def test_compression_holds_nothing_back(open_site, fault_server):
    """Even where somebody has told nginx to compress our streams."""
    fault_server.play(Faults(failure=Stall(after_chunks=5)))

    def zipping(backend):
        return bare(backend, more="gzip on; gzip_min_length 0; gzip_types text/event-stream;")

    site = await open_site(zipping)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        asking = session.post(
            f"{site.url}/chat/stream", json=QUESTION, headers={"Accept-Encoding": "gzip"}
        )
        async with asking as response:
            assert "gzip" == response.headers["content-encoding"]
            exchange = await fault_server.next_exchange()
            unzip = zlib.decompressobj(wbits=31)
            received = b""
            while WORDS[3].encode() not in received:
                received += unzip.decompress(await response.content.readany())
            assert exchange.ended_by is None
            exchange.resume()
            received += unzip.decompress(await response.read())
    assert "".join(WORDS) == text_of(received.decode())


async def test_several_hundred_readers_get_all_of_it(open_site, fault_server):
    """At once, each through a connection of its own."""
    fault_server.play(Faults(failure=Stall(after_chunks=5)), Answer())
    site = await open_site(lambda backend: documented(backend).replace(" ssl http2", ""))
    many = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    async with many as session, contextlib.AsyncExitStack() as readers:
        asking = session.post(f"{site.url}/chat/stream", json=QUESTION)
        first = await readers.enter_async_context(asking)
        exchange = await fault_server.next_exchange()
        location = site.url + first.headers["location"]
        responses = [first] + [
            await readers.enter_async_context(session.get(location)) for _ in range(299)
        ]

        async def first_words(response):
            received = b""
            while WORDS[3].encode() not in received:
                received += await response.content.readany()
            return received

        begun = await asyncio.gather(*map(first_words, responses))
        assert exchange.ended_by is None
        exchange.resume()
        rests = await asyncio.gather(*(response.read() for response in responses))
    texts = {text_of((one + two).decode()) for one, two in zip(begun, rests, strict=True)}
    assert {"".join(WORDS)} == texts


async def test_a_hundred_streams_share_one_http2_connection(open_site, fault_server):
    """Where HTTP/1.1 would let a browser have six."""
    fault_server.play(Faults(failure=Stall(after_chunks=5)))
    site = await open_site(documented, "--http2", scheme="https")
    first = await site.start()
    exchange = await fault_server.next_exchange()
    await first.until(WORDS[3].encode())
    path = f"/chat/stream/{run_id_of(first)}"
    others = [site.url + path] * 98
    opened = "\nconnections: %{num_connects}\n"
    curl = await site.ask(path, "-w", opened, "-Z", "--parallel-max", "100", *others)
    while curl.received.count(WORDS[3].encode()) < 99:
        await curl.until_more()
    exchange.resume()
    _, received = await curl.rest()
    assert 99 == received.count(b'"outcome":"completed"')
    assert 1 == sum(map(int, re.findall(rb"\nconnections: (\d+)\n", received)))
