"""What faults do to an answer's frames: left out, spoiled, out of order, cut by an error.

Pure: frames in, frames out. How the bytes travel is `delivery`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tickertape.testing.fault_server.call import Call
from tickertape.testing.fault_server.frames import LINE_ENDS, Frame
from tickertape.testing.fault_server.stream_errors import error_frames
from tickertape.testing.faults import Faults, StreamError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Where text begins in a payload, in all three APIs.
_TEXT_BEGINS = re.compile(rb'"(?:content|delta|text|arguments)":"')


def spoil(frames: Sequence[Frame], faults: Faults, call: Call) -> list[Frame]:
    """Return the frames as they are sent. Positions count what `omit` has left."""
    spoiled = [frame for frame in frames if frame.kind not in faults.omit]
    for at, change in (
        (faults.invalid_json_at, _cut_short),
        (faults.invalid_utf8_at, _with_invalid_byte),
    ):
        if at is not None and at < len(spoiled):
            spoiled[at] = change(spoiled[at])
    if (at := faults.swap_at) is not None:
        spoiled[at : at + 2] = spoiled[at : at + 2][::-1]
    if (at := faults.duplicate_at) is not None:
        spoiled[at:at] = spoiled[at : at + 1]
    if isinstance(error := faults.failure, StreamError):
        kept = spoiled[: error.after_chunks]
        return kept + error_frames(error, call, number=len(kept))
    return spoiled


def encode(frames: Sequence[Frame], faults: Faults) -> list[bytes]:
    """Return each frame's bytes, with the faults' line ends."""
    line_end = LINE_ENDS[faults.line_end]
    chunks = [frame.encode(line_end) for frame in frames]
    if faults.has_byte_order_mark and chunks:
        chunks[0] = _BYTE_ORDER_MARK + chunks[0]
    return chunks


def spoil_body(body: bytes, faults: Faults) -> bytes:
    """Return the body of an answer that is not streamed, as it is sent."""
    if faults.invalid_json_at == 0:
        body = body[: len(body) // 2]
    if faults.invalid_utf8_at == 0:
        body = _insert_invalid_byte(body)
    return _BYTE_ORDER_MARK + body if faults.has_byte_order_mark else body


def _cut_short(frame: Frame) -> Frame:
    *before, data = frame.lines
    return Frame((*before, data[: len(data) // 2]), frame.kind, frame.sequence_number)


def _with_invalid_byte(frame: Frame) -> Frame:
    *before, data = frame.lines
    return Frame((*before, _insert_invalid_byte(data)), frame.kind, frame.sequence_number)


def _insert_invalid_byte(data: bytes) -> bytes:
    """Put FF, which no UTF-8 has, where the text begins, or else in the middle."""
    text = _TEXT_BEGINS.search(data)
    at = text.end() if text else len(data) // 2
    return data[:at] + b"\xff" + data[at:]
