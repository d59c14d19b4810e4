"""How an answer's bytes travel: the steps that a connection takes, one after the other.

Pure: chunks and faults in, steps out. `connection` takes them; nothing here
waits or writes.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, Literal, NamedTuple, TypeAlias, assert_never

from msgspec import Struct

from tickertape.testing.faults import Break, EndOfFile, Faults, Reset, Stall

Framing: TypeAlias = Literal["chunked", "close", "length"]
"""How the end of a body is told: by HTTP chunks, the connection's end, or its length."""

LAST_HTTP_CHUNK: Final = b"0\r\n\r\n"


class Write(Struct, frozen=True):
    """Send these bytes at once."""

    wire: bytes
    body_bytes: int = 0
    """How many of them are the body's."""
    completes: int = 0
    """How many chunks end in it."""
    last_chunk: int = -1
    """The chunk of which it has the last bytes; -1 for headers."""


class Wait(Struct, frozen=True):
    """Do nothing for a while."""

    seconds: float


class Hold(Struct, frozen=True):
    """Say nothing but heartbeats: until the client leaves, a test resumes, or `for_s`."""

    for_s: float | None
    heartbeat: bytes
    heartbeat_every_s: float

    def waits(self) -> Iterator[tuple[float, bytes]]:
        """Return how long to wait, and what to send then, time and again.

        Comes to an end where the hold has a limit, or no heartbeat.
        """
        left_s = math.inf if self.for_s is None else self.for_s
        while self.heartbeat and left_s > self.heartbeat_every_s:
            yield self.heartbeat_every_s, self.heartbeat
            left_s -= self.heartbeat_every_s
        if left_s < math.inf:
            yield left_s, b""


class End(Struct, frozen=True):
    """The answer is over: keep the connection for the next request, close it, or reset it."""

    connection: Literal["keep", "close", "reset"]
    is_cut: bool = False
    """It broke off before its end."""


Step: TypeAlias = Write | Wait | Hold | End


def deliver(
    chunks: Sequence[bytes], faults: Faults, *, head: bytes, framing: Framing
) -> Iterator[Step]:
    """Return the steps that send headers and chunks. The last one is an `End`."""
    failure = faults.failure
    breaks = failure if isinstance(failure, Stall | Reset | EndOfFile) else None
    if faults.first_byte_delay_s:
        yield Wait(faults.first_byte_delay_s)
    if breaks is not None and _is_before_headers(breaks):
        yield from _break_off(breaks, framing)
        if not isinstance(breaks, Stall):
            return
        breaks = None
    yield Write(head)
    cut = None if breaks is None else _cut_at(breaks, chunks)
    before, after = _split(chunks, cut)
    yield from _writes(before, faults, framing)
    if breaks is not None:
        yield from _break_off(breaks, framing)
        if not isinstance(breaks, Stall):
            return
        yield from _writes(after, faults, framing)
    if framing == "chunked":
        yield Write(LAST_HTTP_CHUNK)
    yield End("close" if framing == "close" else "keep")


def _is_before_headers(breaks: Break) -> bool:
    return breaks.after_chunks is None and breaks.after_bytes is None


def _break_off(breaks: Break, framing: Framing) -> Iterator[Step]:
    match breaks:
        case Stall():
            heartbeat = _framed((breaks.heartbeat or "").encode(), framing)
            yield Hold(breaks.for_s, heartbeat, breaks.heartbeat_every_s)
        case Reset():
            yield End("reset", is_cut=True)
        case EndOfFile():
            ends_body = breaks.ends_body and framing == "chunked"
            if ends_body and not _is_before_headers(breaks):
                yield Write(LAST_HTTP_CHUNK)
                yield End("keep", is_cut=True)
            else:
                yield End("close", is_cut=True)
        case _:
            assert_never(breaks)


def _framed(body: bytes, framing: Framing) -> bytes:
    if framing != "chunked" or not body:
        return body
    return b"%x\r\n%b\r\n" % (len(body), body)


def _cut_at(breaks: Break, chunks: Sequence[bytes]) -> int:
    """Return after how many bytes of the body it breaks."""
    if breaks.after_bytes is not None:
        return breaks.after_bytes
    return sum(map(len, chunks[: breaks.after_chunks]))


class _Segment(NamedTuple):
    """Bytes of one chunk, to its end or not."""

    data: bytes
    chunk: int
    is_end: bool


def _split(chunks: Sequence[bytes], cut: int | None) -> tuple[list[_Segment], list[_Segment]]:
    """Return what comes before and after the cut; all is before it when there is none."""
    segments = [_Segment(data, index, True) for index, data in enumerate(chunks)]
    if cut is None:
        return segments, []
    ends = list(accumulate(map(len, chunks)))
    whole = bisect_right(ends, cut)
    inside = cut - (ends[whole - 1] if whole else 0)
    before, after = segments[:whole], segments[whole:]
    if after and inside:
        data, index, _ = after[0]
        before.append(_Segment(data[:inside], index, False))
        after[0] = _Segment(data[inside:], index, True)
    return before, after


def _writes(segments: Sequence[_Segment], faults: Faults, framing: Framing) -> Iterator[Step]:
    if faults.bytes_per_write is None:
        pieces = _bursts(segments, faults.chunks_per_write)
    else:
        pieces = _slices(segments, faults.bytes_per_write)
    is_first = True
    for data, completes, last_chunk in pieces:
        if faults.pace_s and not is_first:
            yield Wait(faults.pace_s)
        is_first = False
        yield Write(_framed(data, framing), len(data), completes, last_chunk)


_Piece: TypeAlias = tuple[bytes, int, int]


def _bursts(segments: Sequence[_Segment], size: int) -> Iterator[_Piece]:
    for at in range(0, len(segments), size):
        burst = segments[at : at + size]
        data = burst[0].data if size == 1 else b"".join([segment.data for segment in burst])
        yield data, sum(segment.is_end for segment in burst), burst[-1].chunk


def _slices(segments: Sequence[_Segment], size: int) -> Iterator[_Piece]:
    body = b"".join([segment.data for segment in segments])
    ends = list(accumulate(len(segment.data) for segment in segments))
    for at in range(0, len(body), size):
        stop = min(at + size, len(body))
        first, last = bisect_right(ends, at), bisect_right(ends, stop)
        touched = segments[bisect_right(ends, stop - 1)]
        yield body[at:stop], sum(entry.is_end for entry in segments[first:last]), touched.chunk
