"""The body that pulls a feed: what it gives, and how it notices that the reader has gone."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading

import pytest

from tickertape.core.errors import LogUnavailable
from tickertape.engine.background import BackgroundLoop
from tickertape.web.wsgi import FeedBody, connection_of


class Feed:
    """A feed of the blocks that a test says, which then waits until it is closed."""

    def __init__(self, *blocks):
        self.blocks = list(blocks)
        self.threads = set()
        self.waits = threading.Event()
        self.is_closed = asyncio.Event()

    async def next(self):
        self.threads.add(threading.get_ident())
        if not self.blocks:
            self.waits.set()
            await self.is_closed.wait()
            return b""
        return self.blocks.pop(0)

    def close(self):
        self.threads.add(threading.get_ident())
        self.is_closed.set()


@pytest.fixture
def loop():
    loop = BackgroundLoop()
    yield loop
    loop.stop()


@pytest.fixture
def reader():
    """Connect a reader; give its end and the server's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def note(error):
    """Take an error that must not come."""
    raise AssertionError(error)


def read_in_thread(body):
    """Read what is left, in a thread; return the thread and where its blocks go."""
    blocks = []
    thread = threading.Thread(target=lambda: blocks.extend(body))
    thread.start()
    return thread, blocks


def test_the_first_piece_is_empty_and_then_each_batch_is_one(loop):
    """A server sends its headers with the first."""
    feed = Feed(b"one", b"two", b"")
    assert [b"", b"one", b"two"] == list(FeedBody(feed, loop=loop, note=note))


def test_headers_do_not_wait_for_the_feed(loop):
    """It is not even asked for them."""
    feed = Feed()
    assert b"" == next(FeedBody(feed, loop=loop, note=note))
    assert not feed.waits.is_set()


def test_a_feed_that_breaks_off_resets_the_connection(loop):
    """So that the body has no end, and servers say nothing; the error is noted."""

    class Broken(Feed):
        async def next(self):
            raise LogUnavailable("away")

    feed = Broken()
    noted = []
    body = FeedBody(feed, loop=loop, note=noted.append)
    next(body)
    with pytest.raises(ConnectionResetError) as reset:
        next(body)
    assert errno.ECONNRESET == reset.value.errno
    assert ["away"] == [str(error) for error in noted]
    body.close()
    assert feed.is_closed.is_set()


def test_the_end_closes_the_feed_and_is_final(loop):
    """On the loop, where it belongs."""
    feed = Feed(b"one", b"", b"more")
    body = FeedBody(feed, loop=loop, note=note)
    assert [b"", b"one"] == list(body)
    assert [] == list(body)
    assert feed.is_closed.is_set()
    assert 1 == len(feed.threads - {threading.get_ident()}) == len(feed.threads)


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_close_leaves_wherever_it_stands(loop, taken):
    """Also before the first byte; a second close does nothing."""
    feed = Feed(b"one", b"two")
    body = FeedBody(feed, loop=loop, note=note)
    for _ in range(taken):
        next(body)
    body.close()
    assert feed.is_closed.is_set()
    feed.is_closed.clear()
    body.close()
    assert not feed.is_closed.is_set()


def test_a_reader_that_leaves_ends_the_wait(loop, reader):
    """At once, with nothing written."""
    ours, theirs = reader
    feed = Feed(b"one")
    thread, blocks = read_in_thread(FeedBody(feed, loop=loop, note=note, connection=ours))
    assert feed.waits.wait(10)
    theirs.close()
    thread.join(10)
    assert ([b"", b"one"], False) == (blocks, thread.is_alive())


def test_a_reader_that_has_left_already_is_noticed(loop, reader):
    """Before its connection was looked at."""
    ours, theirs = reader
    theirs.close()
    thread, _ = read_in_thread(FeedBody(Feed(), loop=loop, note=note, connection=ours))
    thread.join(10)
    assert not thread.is_alive()


def test_a_reader_that_sends_has_not_left(loop, reader):
    """Its bytes are its next request: they stay where they are."""
    ours, theirs = reader
    feed = Feed()
    body = FeedBody(feed, loop=loop, note=note, connection=ours)
    thread, blocks = read_in_thread(body)
    assert feed.waits.wait(10)
    theirs.sendall(b"GET")
    loop.call(unwatched(ours))
    assert not feed.is_closed.is_set()
    loop.call(close(feed))
    thread.join(10)
    assert ([b""], b"GET") == (blocks, ours.recv(9))


async def unwatched(connection):
    """Wait until the loop has looked at what there is to read."""
    while await is_watched(connection):
        await asyncio.sleep(0)


async def is_watched(connection):
    selector = vars(asyncio.get_running_loop())["_selector"]
    return connection.fileno() in selector.get_map()


async def close(feed):
    feed.close()


@pytest.mark.parametrize("ends", ["by itself", "by close"])
def test_afterwards_nobody_looks_at_the_connection(loop, reader, ends):
    """Its number may be another reader's by then."""
    ours, _ = reader
    feed = Feed(b"one", b"")
    body = FeedBody(feed, loop=loop, note=note, connection=ours)
    assert [b"", b"one"] == [next(body), next(body)]
    assert loop.call(is_watched(ours))
    if ends == "by close":
        body.close()
    else:
        assert [] == list(body)
    assert not loop.call(is_watched(ours))


def test_a_loop_without_readers_does_without(loop, reader, monkeypatch):
    """Windows' own."""

    def refuse(*_):
        raise NotImplementedError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "add_reader", refuse)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "remove_reader", refuse)
    body = FeedBody(Feed(b"one", b""), loop=loop, note=note, connection=reader[0])
    assert [b"", b"one"] == list(body)


def test_the_connection_is_what_the_server_shows(reader):
    """Both gunicorn and Flask's own server do."""
    ours, _ = reader
    assert ours is connection_of({"gunicorn.socket": ours})
    assert ours is connection_of({"werkzeug.socket": ours})
    assert None is connection_of({"gunicorn.socket": "another"})
    assert None is connection_of({})


def test_tls_hides_its_end(reader):
    """What can be read there may be anything."""
    context = ssl.create_default_context()
    with context.wrap_socket(
        reader[0], server_hostname="localhost", do_handshake_on_connect=False
    ) as hidden:
        assert None is connection_of({"gunicorn.socket": hidden})
