"""A frame: one server-sent event of an answer, before its line ends are chosen."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

FrameKind: TypeAlias = Literal[
    "content", "finish_reason", "usage", "prompt_filter_results", "filter", "done", "error"
]

LINE_ENDS: Final = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}

_encoder: Final = msgspec.json.Encoder()


class Frame(Struct, frozen=True):
    """One server-sent event: its lines, and what it is for."""

    lines: tuple[bytes, ...]
    kind: FrameKind = "content"
    sequence_number: int | None = None
    """Its place in a stream of the Responses API, which can be resumed after it."""

    def encode(self, line_end: bytes) -> bytes:
        """Return the bytes: every line ended, and a blank line."""
        return line_end.join(self.lines) + line_end + line_end


DONE: Final = Frame((b"data: [DONE]",), "done")


def data_frame(
    payload: object,
    kind: FrameKind = "content",
    *,
    event: str | None = None,
    sequence_number: int | None = None,
) -> Frame:
    """Return a frame with the payload as JSON, under an `event:` line if it has a name."""
    data = b"data: " + _encoder.encode(payload)
    lines = (data,) if event is None else (f"event: {event}".encode(), data)
    return Frame(lines, kind, sequence_number)
