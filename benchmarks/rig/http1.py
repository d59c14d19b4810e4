"""As much of HTTP/1.1 as the simulator and the load client need."""

from __future__ import annotations

import json


def request(path: str, *, stream: int, headers: str = "") -> bytes:
    """Return the request for one stream; its number travels in the message."""
    question = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"stream {stream}"}]}
    body = json.dumps(question).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


def resume(path: str, *, after: str | None = None) -> bytes:
    """Return the request for a run that there is, from its beginning or after a cursor."""
    cursor = "" if after is None else f"Last-Event-ID: {after}\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cursor}\r\n".encode()


def location_of(response: bytes) -> str | None:
    """Return where a run that was started is; None while the headers are not whole.

    Raises:
        ValueError: it was not started; the message is the response.
    """
    head, found, _ = response.partition(b"\r\n\r\n")
    if not found:
        return None
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"location" and head.startswith(b"HTTP/1.1 202"):
            return value.strip().decode()
    raise ValueError(response[:400])


def request_end(received: bytes) -> int | None:
    """Return where the first request in `received` ends; None while it is not whole."""
    head, found, _ = received.partition(b"\r\n\r\n")
    if not found:
        return None
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    end = len(head) + 4 + sum(int(line.partition(b":")[2]) for line in lengths)
    return end if len(received) >= end else None


def framed(part: bytes) -> bytes:
    """Return a part of a body with chunked transfer encoding."""
    return b"%x\r\n%b\r\n" % (len(part), part)


def body_of(response: bytes) -> bytes:
    """Return a chunked response's body, as far as it has arrived.

    Raises:
        ValueError: the status is not 200; the message is the response.
    """
    if not response.startswith(b"HTTP/1.1 200"):
        raise ValueError(response[:400])
    _, _, rest = response.partition(b"\r\n\r\n")
    parts = []
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line or b"0", 16)
        parts.append(rest[:size])
        rest = rest[size + 2 :]
    return b"".join(parts)


def text_of(body: bytes) -> str:
    """Return the text in a body of server-sent events, from us, from users' servers or Azure's.

    Raises:
        ValueError: the body does not end with `[DONE]`.
    """
    if not body.endswith(b"data: [DONE]\n\n"):
        raise ValueError(f"the stream was cut: it ends with {body[-100:]!r}")
    return text_so_far(body)


def text_so_far(body: bytes) -> str:
    """Return the text in a body that may go on."""
    found: list[str] = []
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            value = json.loads(line[6:])
            for choice in value.get("choices", ()):
                value = choice["delta"]
            found.append(value.get("content") or "")
    return "".join(found)


def ids_of(body: bytes) -> list[str]:
    """Return the ids of the blocks of ours in a body, each of which is a cursor."""
    return [line[4:].decode() for line in body.split(b"\n") if line.startswith(b"id: ")]
