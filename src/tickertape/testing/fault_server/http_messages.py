"""HTTP/1.1, as much of it as a server of ours needs: bytes → requests, a head → bytes.

Knows no socket. Source: RFC 9112, "HTTP/1.1".
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from tickertape.core.errors import ProtocolError

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_HEAD_END = b"\r\n\r\n"


class HttpRequest(Struct, frozen=True, kw_only=True):
    """One request as it came."""

    method: str
    path: str
    """Still percent-encoded, without the query."""
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case; repeated ones joined with commas."""
    body: bytes = b""
    keeps_alive: bool = True
    """Whether the connection stays open for another one."""


class RequestReader:
    """The bytes of one connection → requests. Any split of the bytes gives the same."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: HttpRequest | None = None
        self.wants_continue = False
        """The client waits for `CONTINUE` before it sends the body. Reset it when sent."""

    def feed(self, data: bytes) -> list[HttpRequest]:
        """Return the requests completed by `data`, possibly none.

        Raises:
            ProtocolError: not HTTP, or larger than a limit; close the connection.
        """
        self._buffer += data
        requests: list[HttpRequest] = []
        while (request := self._next()) is not None:
            requests.append(request)
        return requests

    def _next(self) -> HttpRequest | None:
        if self._head is None:
            self._head = self._take_head()
            if self._head is None:
                return None
            self.wants_continue = self._head.headers.get("expect", "").lower() == "100-continue"
        body = self._take_body(self._head)
        if body is None:
            return None
        head, self._head, self.wants_continue = self._head, None, False
        return HttpRequest(
            method=head.method,
            path=head.path,
            query=head.query,
            headers=head.headers,
            body=body,
            keeps_alive=head.keeps_alive,
        )

    def _take_head(self) -> HttpRequest | None:
        end = self._buffer.find(_HEAD_END)
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
            raise ProtocolError(f"the request's headers are larger than {MAX_HEAD_BYTES} bytes")
        if end < 0:
            return None
        head = bytes(self._buffer[:end])
        del self._buffer[: end + len(_HEAD_END)]
        return _parse_head(head)

    def _take_body(self, head: HttpRequest) -> bytes | None:
        if head.headers.get("transfer-encoding", "").lower() == "chunked":
            return self._take_chunked()
        size = _number(head.headers.get("content-length", "0"), base=10)
        if len(self._buffer) < size:
            return None
        body = bytes(self._buffer[:size])
        del self._buffer[:size]
        return body

    def _take_chunked(self) -> bytes | None:
        """Return the body once its last chunk is there. Trailers are dropped."""
        body, at = bytearray(), 0
        while True:
            line_end = self._buffer.find(b"\r\n", at)
            if line_end < 0:
                return None
            size = _number(bytes(self._buffer[at:line_end]).split(b";")[0].decode("latin-1"))
            if len(body) + size > MAX_BODY_BYTES:
                raise ProtocolError(f"the request's body is larger than {MAX_BODY_BYTES} bytes")
            at = line_end + 2
            if size == 0:
                # An empty line ends it at once; trailers have one after them.
                end = line_end if self._buffer.startswith(b"\r\n", at) else -1
                end = end if end >= 0 else self._buffer.find(_HEAD_END, at)
                if end < 0:
                    return None
                del self._buffer[: end + len(_HEAD_END)]
                return bytes(body)
            if len(self._buffer) < at + size + 2:
                return None
            body += self._buffer[at : at + size]
            at += size + 2


def response_head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a response's status line and headers, with the blank line after them."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _parse_head(head: bytes) -> HttpRequest:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ProtocolError(f"not an HTTP/1.1 request line: {first[:100]!r}")
    method, target, version = words
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ProtocolError(f"not an HTTP header: {line[:100]!r}")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    url = urlsplit(target)
    connection = headers.get("connection", "").lower()
    return HttpRequest(
        method=method,
        path=url.path,
        query=dict(parse_qsl(url.query, keep_blank_values=True)),
        headers=headers,
        keeps_alive=connection != "close" and version != "HTTP/1.0",
    )


def _number(text: str, *, base: int = 16) -> int:
    """Return a size; only digits count, not the signs and blanks that `int` allows."""
    digits = "0123456789abcdef"[:base]
    if not text or any(character not in digits for character in text.lower()):
        raise ProtocolError(f"not a size in a request: {text[:20]!r}")
    size = int(text, base)
    if size > MAX_BODY_BYTES:
        raise ProtocolError(f"the request's body is larger than {MAX_BODY_BYTES} bytes")
    return size
