"""Server-sent events: bytes in, events out; and the other way.

Knows the text format only. Callers own the socket and the clock, and they judge
how a stream ended: an event that the end of file cut off is never returned, so
there is no flush.

Source: WHATWG HTML, "Interpreting an event stream". Two deliberate differences:
an event may not grow without limit, and a reconnection time counts as 2**53 - 1 ms
at most.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from tickertape.core.errors import EventTooLarge, ProtocolError

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
"""Four times the largest event we test with; little enough to hold for each connection."""

MAX_RETRY_MS: Final = 2**53 - 1
"""The largest integer that every language with a client of ours holds exactly."""

# One newline, not two: a comment is a whole line by itself. After a second one,
# clients that dispatch at every blank line (httpx-sse 0.4.3, openai-python 3.54)
# see an empty event as soon as the stream has had an id, and the latter then fails
# to read it as JSON. The price: a client that splits on blank lines and looks only at
# a block's first line, which the format does not allow, misses the event after it.
HEARTBEAT: Final = b": hb\n"

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_MAX_HEAD_BYTES: Final = 128
"""A type with a longer name is read all the same, but not kept for the next block."""

# As integers: `in` finds one in a third of the time that it takes with b"\r".
_CARRIAGE_RETURN: Final = 0x0D
_LINE_FEED: Final = 0x0A


class ServerSentEvent(Struct, frozen=True, gc=False):
    """One dispatched event."""

    data: str
    type: str = "message"
    id: str = ""
    """The last event ID string at dispatch; an earlier block may have set it."""


class SseDecoder:
    """One stream's bytes → events. One for each connection.

    `_take_line` and `_dispatch` are the specification. Before them, line ends
    become LF; beside them, `feed` and `_take_blocks` have short cuts for what nearly
    every event is: one line, `data: …`, perhaps with `event: …` before it.
    """

    __slots__ = (
        "_data",
        "_held",
        "_id",
        "_is_broken",
        "_line",
        "_max_event_bytes",
        "_plain_head",
        "_plain_type",
        "_skip",
        "_type",
        "last_event_id",
        "retry_ms",
    )

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_event_id = ""
        """What to send as `Last-Event-ID` when reconnecting; nothing when empty."""
        self.retry_ms: int | None = None
        """The reconnection time that the server asked for; None until it does."""
        self._max_event_bytes = max_event_bytes
        self._is_broken = False
        # What to skip if it comes next: at first a byte order mark, later the LF of
        # a CRLF that was cut in two. `_held` is as much of it as has come.
        self._skip = _BYTE_ORDER_MARK
        self._held = b""
        # Byte arrays grow in place, so an event in tiny chunks is copied once.
        self._line = bytearray()
        self._data = bytearray()
        self._type = ""
        self._id = ""
        # What stands before the data in a block with nothing else, and the type it tells.
        self._plain_head = b"data: "
        self._plain_type = "message"

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events completed by `chunk`, possibly none.

        Any split of the stream's bytes gives the same events.

        Raises:
            EventTooLarge: a line, with the data of its event so far, is over
                `max_event_bytes`. No event is lost by it: when `chunk` completed
                some before, they are returned, and the error comes with the next
                call. At the end of file, `feed(b"")` asks for it. Once raised, it
                is raised by every call.
        """
        if self._is_broken:
            raise EventTooLarge(self._max_event_bytes)
        if self._skip or _CARRIAGE_RETURN in chunk:
            chunk = self._prepare(chunk)
        head = self._plain_head
        if (
            chunk.startswith(head)
            and chunk.find(b"\n", len(head)) == len(chunk) - 2
            and chunk.endswith(b"\n")
            and not (self._line or self._data or self._type)
            and len(chunk) <= self._max_event_bytes
        ):
            # Exactly one block, as providers write them when they are not in a hurry.
            self.last_event_id = self._id
            data = chunk[len(head) : -2].decode("utf-8", "replace")
            return [ServerSentEvent(data, self._plain_type, self._id)]
        self._expect_head_of(chunk)
        events: list[ServerSentEvent] = []
        try:
            if self._line or self._data or self._type:
                head, blank, chunk = chunk.partition(b"\n\n")
                self._take_lines(head + blank, events)
            # What is left begins where an event may begin.
            blocks, blank, rest = chunk.rpartition(b"\n\n")
            if blank:
                self._take_blocks(blocks, events)
            if rest:
                self._take_lines(rest, events)
        except EventTooLarge:
            self._is_broken = True
            if not events:
                raise
        return events

    def _prepare(self, chunk: bytes) -> bytes:
        """Skip what is to be skipped, and make each line end (CRLF, CR, LF) one LF."""
        start = self._held + chunk
        if len(start) < len(self._skip) and self._skip.startswith(start):
            self._held = start
            return b""
        text = start.removeprefix(self._skip)
        self._held = b""
        self._skip = b"\n" if start.endswith(b"\r") else b""
        return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _expect_head_of(self, chunk: bytes) -> None:
        """Expect the next block to begin as this one: with its type, or with its data at once."""
        line_end = chunk.find(b"\n", 0, _MAX_HEAD_BYTES)
        if chunk.startswith(b"data: "):
            self._plain_head, self._plain_type = b"data: ", "message"
        elif chunk.startswith(b"event: ") and chunk.startswith(b"\ndata: ", line_end):
            self._plain_head = chunk[: line_end + len(b"\ndata: ")]
            self._plain_type = chunk[7:line_end].decode("utf-8", "replace") or "message"

    def _take_blocks(self, blocks: bytes, events: list[ServerSentEvent]) -> None:
        """Take whole blocks; the blank line after the last one is not among the bytes.

        A block that is one line of data, or one with the event's type and one of
        data, is an event as it stands. Every other block is taken line by line.
        """
        try:
            text = blocks.decode()
        except UnicodeDecodeError:
            text = ""
        is_plain = text.startswith("data: ")
        if len(blocks) > self._max_event_bytes or not (is_plain or text.startswith("event: ")):
            self._take_lines(blocks + b"\n\n", events)
            return
        last_event_id = self.last_event_id = self._id
        if is_plain:
            for rest in text[6:].split("\n\ndata: "):
                if "\n" not in rest:
                    events.append(ServerSentEvent(rest, "message", last_event_id))
                else:
                    self._take_lines(f"data: {rest}\n\n".encode(), events)
                    last_event_id = self._id
            return
        for rest in text[7:].split("\n\nevent: "):
            event_type, separator, data = rest.partition("\ndata: ")
            if separator and "\n" not in event_type and "\n" not in data:
                events.append(ServerSentEvent(data, event_type or "message", last_event_id))
            else:
                self._take_lines(f"event: {rest}\n\n".encode(), events)
                last_event_id = self._id

    def _take_lines(self, text: bytes, events: list[ServerSentEvent]) -> None:
        *lines, rest = text.split(b"\n")
        if lines and self._line:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        for line in lines:
            if line:
                self._check_size(len(line))
                self._take_line(line)
            else:
                self._dispatch(events)
        self._line += rest
        self._check_size(len(self._line))

    def _check_size(self, line_bytes: int) -> None:
        if line_bytes + len(self._data) > self._max_event_bytes:
            raise EventTooLarge(self._max_event_bytes)

    def _take_line(self, line: bytes) -> None:
        # A comment is a line whose field has no name, so it is ignored with the unknown.
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data += value
            self._data += b"\n"
        elif field == b"event":
            self._type = value.decode("utf-8", "replace")
        elif field == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit():  # of bytes: ASCII digits, and at least one
            # 17 digits are beyond the maximum already, and int() refuses thousands.
            self.retry_ms = min(int(value.lstrip(b"0")[:17] or b"0"), MAX_RETRY_MS)

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        self.last_event_id = self._id
        if self._data:
            self._data.pop()  # the last line's LF
            data = self._data.decode("utf-8", "replace")
            events.append(ServerSentEvent(data, self._type or "message", self._id))
            self._data.clear()
        self._type = ""


def encode_event(
    data: str | bytes,
    *,
    id: str | int | None = None,  # noqa: A002 - the field's own name
    type: str | None = None,  # noqa: A002
    retry_ms: int | None = None,
) -> bytes:
    """Return one event, with the blank line that ends it.

    `data` may have any line ends: each line becomes a `data:` line, and readers
    get them back as LF. Bytes are taken to be UTF-8. An empty `id` makes readers
    forget the last one; None leaves it as it is.

    Raises:
        ProtocolError: the id or type has a NUL, CR or LF, the text a lone
            surrogate, or the reconnection time is negative: no reader would get
            back what was meant.
    """
    if not isinstance(data, bytes):
        data = _encode("data", data)
    if _LINE_FEED in data or _CARRIAGE_RETURN in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        data = lines.replace(b"\n", b"\ndata: ")
    fields = b"" if id is None else _field("id", str(id))
    if type is not None:
        fields += _field("event", type)
    if retry_ms is not None:
        if retry_ms < 0:
            raise ProtocolError(f"a reconnection time can't be negative: {retry_ms} ms")
        fields += b"retry: %d\n" % retry_ms
    return b"%bdata: %b\n\n" % (fields, data)


def _field(name: str, value: str) -> bytes:
    if "\n" in value or "\r" in value or "\0" in value:
        raise ProtocolError(f"{name} {value!r} has a NUL, CR or LF, which the format can't carry")
    return _encode(name, f"{name}: {value}\n")


def _encode(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ProtocolError(
            f"{name} has a lone surrogate at character {error.start}, which is not text; "
            "replace it with U+FFFD"
        ) from error
