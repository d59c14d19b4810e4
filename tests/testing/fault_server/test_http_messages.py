"""HTTP requests from bytes, however they are cut."""

import pytest

from tickertape.core.errors import ProtocolError
from tickertape.testing.fault_server.http_messages import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    RequestReader,
    response_head,
)

GET = b"GET /a%2Fb?x=1&y=%20&x=2 HTTP/1.1\r\nHost: h\r\nX-Two: a\r\nx-two: b\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\n"


def read(data: bytes):
    return RequestReader().feed(data)


def test_a_request_is_read():
    """The path stays encoded; header names are in lower case."""
    (request,) = read(GET)
    assert ("GET", "/a%2Fb") == (request.method, request.path)
    assert {"x": "2", "y": " "} == request.query
    assert {"host": "h", "x-two": "a, b"} == request.headers
    assert (b"", True) == (request.body, request.keeps_alive)


@pytest.mark.parametrize(
    "data",
    [POST, CHUNKED + b"\r\n", CHUNKED + b"trailer: 1\r\n\r\n"],
    ids=["length", "chunked", "trailer"],
)
def test_a_body_is_read_whole(data):
    """By its length or in chunks."""
    (request,) = read(data)
    assert b"hello" == request.body


@pytest.mark.parametrize("size", [1, 2, 7])
def test_any_split_gives_the_same_requests(size):
    """Also of several that follow each other at once."""
    data = GET + POST + CHUNKED + b"\r\n" + CHUNKED + b"t: 1\r\n\r\n" + GET
    reader, found = RequestReader(), []
    for at in range(0, len(data), size):
        found += reader.feed(data[at : at + size])
    assert read(data) == found
    assert 5 == len(found)


@pytest.mark.parametrize(
    ("data", "keeps"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nconnection: Close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
    ],
)
def test_it_knows_whether_the_connection_stays(data, keeps):
    """HTTP/1.1 keeps it unless told otherwise."""
    assert keeps == read(data)[0].keeps_alive


def test_a_client_that_waits_for_a_go_ahead_is_noticed():
    """`Expect: 100-continue`, until the body is there."""
    reader = RequestReader()
    reader.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert reader.wants_continue
    assert 1 == len(reader.feed(b"x"))
    assert not reader.wants_continue


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n : x\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: 1_0\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"x" * (MAX_HEAD_BYTES + 1),
    ],
    ids=range(10),
)
def test_what_is_no_request_is_refused(data):
    """With an error that says so."""
    with pytest.raises(ProtocolError):
        read(data)


def test_a_head_is_written():
    """Status line, headers, blank line; a status need not be a known one."""
    assert b"HTTP/1.1 200 OK\r\na: b\r\n\r\n" == response_head(200, [("a", "b")])
    assert b"HTTP/1.1 599 Unknown\r\n\r\n" == response_head(599, [])
