"""As much of HTTP/1.1 as the simulator and the load client need."""

from __future__ import annotations

import json


def request(path: str, *, stream: int) -> bytes:
    """Return the request for one stream; its number travels in the message."""
    question = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"stream {stream}"}]}
    body = json.dumps(question).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


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
    found: list[str] = []
    for line in body.split(b"\n"):
        if line == b"data: [DONE]":
            return "".join(found)
        if line.startswith(b"data: "):
            value = json.loads(line[6:])
            for choice in value.get("choices", ()):
                value = choice["delta"]
            found.append(value.get("content") or "")
    raise ValueError(f"the stream was cut: it ends with {body[-100:]!r}")
