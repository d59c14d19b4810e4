"""Server-sent events: the vectors however cut, a plain reference decoder, and the limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.vectors import by_name, pieces, splits, to_bytes, to_text, vectors
from tickertape.core.errors import EventTooLarge, ProtocolError
from tickertape.core.sse import (
    HEARTBEAT,
    MAX_EVENT_BYTES,
    MAX_RETRY_MS,
    ServerSentEvent,
    SseDecoder,
    encode_event,
)

Decoded = tuple[list[ServerSentEvent], str, int | None]


def decode(chunks: Iterable[bytes]) -> Decoded:
    """Return what a decoder makes of the chunks: events, last event ID, reconnection time."""
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events, decoder.last_event_id, decoder.retry_ms


def expected_of(vector) -> Decoded:
    """Return what the vector says should come out."""
    events = [
        ServerSentEvent(
            to_text(event["data"]), event.get("type", "message"), to_text(event.get("id", ""))
        )
        for event in vector["events"]
    ]
    return events, to_text(vector.get("last_event_id", "")), vector.get("retry_ms")


def reference(stream: bytes) -> Decoded:
    """Decode a whole stream the plain way: one pass over its lines, as the standard words it."""
    text = stream.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    *lines, _cut_off = re.split("\r\n|\r|\n", text)
    events: list[ServerSentEvent] = []
    data = event_type = id_buffer = last_event_id = ""
    retry_ms = None
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            last_event_id = id_buffer
            if data != "":
                events.append(ServerSentEvent(data[:-1], event_type or "message", last_event_id))
            data = event_type = ""
        elif line.startswith(":"):
            pass
        elif field == "data":
            data += value + "\n"
        elif field == "event":
            event_type = value
        elif field == "id" and "\0" not in value:
            id_buffer = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry_ms = min(int(value), MAX_RETRY_MS)
    return events, last_event_id, retry_ms


class TestVectors:
    @pytest.mark.parametrize("vector", vectors("sse"), ids=by_name)
    def test_any_split_gives_the_events_of_the_vector(self, vector):
        """However the bytes arrive, events, last event ID and retry are those of the vector."""
        expected = expected_of(vector)
        for split in splits(to_bytes(vector["input"])):
            assert expected == decode(split), [chunk[:20] for chunk in split[:40]]

    @pytest.mark.parametrize("vector", vectors("sse"), ids=by_name)
    def test_the_reference_decoder_agrees(self, vector):
        """The vectors were written by hand, so two decoders are asked."""
        assert expected_of(vector) == reference(to_bytes(vector["input"]))


# What streams are made of, odd things much more often than in life.
fragments = st.sampled_from(
    [
        *(b"data", b"id", b"event", b"retry", b":", b" ", b": ", b"data: ", b"data:", b"id: "),
        *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\ndata: "),
        *(b"data: a\n\n", b"data: {}\n\n", b"id: 1\ndata: b\n\n", b"event: x\ndata: c\n\n"),
        *(b": hb\n", b": hb\n\n", b"retry: 10\n", b"1", b"\0", b"x", b"\xc2\xb2"),
        *(b"\xef\xbb\xbf", b"\xef", b"\xbb\xbf", b"\xe2\x82\xac", b"\xe2\x82", b"\xac"),
        *(b"\xf0\x9f\x98\x80", b"\xf0\x9f", b"\x98\x80", b"\xff", b"\xed\xa0\x80", b"\xc0\x8a"),
    ]
)
streams = st.lists(fragments | st.binary(max_size=3), max_size=30).map(b"".join)


@st.composite
def cut_streams(draw) -> list[bytes]:
    """Draw a stream in chunks, empty ones among them."""
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


class TestDecoder:
    @given(cut_streams())
    @example([b"data: a\r", b"", b"\ndata: b\r\n\r\n"])
    @example([b"\xef", b"", b"\xbb", b"\xbfdata: a\n\n"])
    @example([b"id: 1\ndata: a\n\ndata: b\n\nid: 2\n", b"data: c\n\ndata: d\nid: 3\n\ndata: e\n\n"])
    def test_any_stream_in_any_chunks_decodes_as_the_reference_does(self, chunks):
        """The short cuts, the buffer and the cuts leave nothing to be seen from outside."""
        assert reference(b"".join(chunks)) == decode(chunks)

    @given(streams)
    def test_a_stream_decodes_the_same_byte_by_byte(self, stream):
        """One byte a read is the worst that a transport can do."""
        assert reference(stream) == decode(pieces(stream, 1))

    def test_an_event_is_returned_by_the_chunk_that_completes_it(self):
        """Nothing waits for the next read, not even after a CR that may be half of a CRLF."""
        decoder = SseDecoder()
        assert [] == decoder.feed(b"data: a\n")
        assert [ServerSentEvent("a")] == decoder.feed(b"\n")
        assert [ServerSentEvent("b")] == decoder.feed(b"data: b\r\r")
        assert [ServerSentEvent("c")] == decoder.feed(b"\ndata: c\r\n\r")
        assert [] == decoder.feed(b"\n")

    def test_an_id_is_committed_at_dispatch_and_not_before(self):
        """A client that reconnects in mid-event must get that event again."""
        decoder = SseDecoder()
        decoder.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
        assert "1" == decoder.last_event_id
        decoder.feed(b"\n")
        assert "2" == decoder.last_event_id

    def test_an_id_read_before_a_cut_belongs_to_the_event_after_it(self):
        """An id alone is no reason to think that an event has begun, but it must not be lost."""
        assert ([ServerSentEvent("a", id="1")], "1", None) == decode([b"id: 1\n", b"data: a\n\n"])

    @pytest.mark.parametrize(
        ("digits", "retry_ms"),
        [
            ("9007199254740991", MAX_RETRY_MS),
            ("9007199254740992", MAX_RETRY_MS),
            ("1" + "0" * 16, MAX_RETRY_MS),
            ("9" * 5000, MAX_RETRY_MS),
            ("0" * 5000 + "12", 12),
        ],
    )
    def test_a_reconnection_time_has_a_maximum(self, digits, retry_ms):
        """Thousands of digits are neither an error nor a number that others can't hold."""
        assert ([], "", retry_ms) == decode([f"retry: {digits}\n".encode()])


def drain(chunks: Iterable[bytes], *, max_event_bytes: int) -> tuple[list[ServerSentEvent], bool]:
    """Return the events before the limit was broken, and whether it was."""
    decoder = SseDecoder(max_event_bytes=max_event_bytes)
    events: list[ServerSentEvent] = []
    try:
        for chunk in [*chunks, b""]:
            events += decoder.feed(chunk)
    except EventTooLarge:
        return events, True
    return events, False


class TestLimit:
    def test_an_event_of_exactly_the_limit_is_fine(self):
        """A line counts with its field name and without its line end."""
        assert ([ServerSentEvent("abcd")], False) == drain([b"data: abcd\n\n"], max_event_bytes=10)

    @pytest.mark.parametrize("size", [1, 5, 100])
    @pytest.mark.parametrize(
        "stream",
        [
            b"data: abcde\n\n",
            b"data: abcde",
            b"data:abcdef\r\n\r\n",
            b": a long comment\n",
            b"data: ab\ndata: abc\n\n",
            b"data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n",
            b"id: 12345678\ndata: a\n\n",
        ],
    )
    def test_a_larger_event_breaks_it_however_cut(self, stream, size):
        """An unfinished line and the data before it count together."""
        assert ([], True) == drain(pieces(stream, size), max_event_bytes=10)

    @given(cut_streams(), st.integers(1, 24))
    def test_cuts_change_neither_the_events_nor_whether_it_breaks(self, chunks, limit):
        """A peer can't get more, or less, through by how it sends."""
        whole = drain([b"".join(chunks)], max_event_bytes=limit)
        assert whole == drain(chunks, max_event_bytes=limit)
        assert whole == drain(pieces(b"".join(chunks), 1), max_event_bytes=limit)

    def test_an_unfinished_event_raises_at_once(self):
        """Nothing is kept until a line end that may never come."""
        decoder = SseDecoder(max_event_bytes=10)
        assert [] == decoder.feed(b"data: abcd")
        with pytest.raises(EventTooLarge) as raised:
            decoder.feed(b"e")
        assert 10 == raised.value.limit_bytes

    def test_events_before_it_are_returned_and_the_next_call_raises(self):
        """What the same chunk completed is not lost, and the error comes even without bytes."""
        decoder = SseDecoder(max_event_bytes=10)
        assert [ServerSentEvent("a"), ServerSentEvent("b")] == decoder.feed(
            b"data: a\n\ndata: b\n\ndata: abcdefgh\n\ndata: c\n\n"
        )
        for chunk in (b"", b"data: d\n\n"):
            with pytest.raises(EventTooLarge):
                decoder.feed(chunk)

    def test_heartbeats_never_add_up(self):
        """A comment is forgotten with its line, so a quiet stream may last for ever."""
        assert ([], False) == drain([HEARTBEAT] * 1000, max_event_bytes=10)

    def test_events_never_add_up(self):
        """Only one event counts at a time, also when a chunk has many."""
        stream = b"data: a\n\n" * 100
        assert ([ServerSentEvent("a")] * 100, False) == drain([stream], max_event_bytes=10)

    def test_the_default_is_8_mib(self):
        """The largest event that the vectors have is a quarter of it."""
        assert 8 * 1024 * 1024 == MAX_EVENT_BYTES


class CountingBuffer:
    """A byte array that counts what is copied, and refuses what it could not count."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.copied_bytes = 0

    def __len__(self) -> int:
        return len(self.content)

    def __iadd__(self, more: bytes) -> Self:
        self.copied_bytes += len(more)
        self.content += more
        return self

    def __bytes__(self) -> bytes:
        self.copied_bytes += len(self.content)
        return bytes(self.content)

    def decode(self, encoding: str, errors: str) -> str:
        self.copied_bytes += len(self.content)
        return self.content.decode(encoding, errors)

    def pop(self) -> int:
        return self.content.pop()

    def clear(self) -> None:
        self.content.clear()


@pytest.mark.parametrize("chunk_bytes", [1, 3, 100])
@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"data: " + b"x" * 200_000 + b"\n\n", id="one long line"),
        pytest.param(b"data: x\n" * 25_000 + b"\n", id="many short lines"),
        pytest.param(b"data: x\r\n" * 25_000 + b"\r\n", id="many short lines, CRLF"),
    ],
)
def test_a_large_event_in_tiny_chunks_is_copied_only_a_few_times(stream, chunk_bytes):
    """The work grows with the bytes, not with bytes times chunks."""
    decoder = SseDecoder()
    line, data = CountingBuffer(), CountingBuffer()
    decoder._line, decoder._data = line, data  # type: ignore[assignment]
    events = [event for chunk in pieces(stream, chunk_bytes) for event in decoder.feed(chunk)]
    assert 1 == len(events)
    # They must have stayed in place, or what was copied elsewhere was not counted.
    assert [id(line), id(data)] == [id(decoder._line), id(decoder._data)]
    assert 0 < line.copied_bytes + data.copied_bytes <= 4 * len(stream)


texts = st.text() | st.text("ab\n\r \x00:", max_size=12)
one_line = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]))


class TestEncoder:
    @given(texts, st.none() | one_line, st.none() | one_line, st.none() | st.integers(0, 10**12))
    def test_decoding_gives_back_what_was_encoded(self, data, event_id, event_type, retry_ms):
        """Line ends come back as LF, an empty type as `message`; all else as it was."""
        encoded = encode_event(data, id=event_id, type=event_type, retry_ms=retry_ms)
        lines = data.replace("\r\n", "\n").replace("\r", "\n")
        event = ServerSentEvent(lines, event_type or "message", event_id or "")
        assert ([event], event_id or "", retry_ms) == decode([encoded])

    @given(st.lists(texts))
    def test_events_follow_each_other(self, data):
        """Each event ends itself, so encoded events can be joined."""
        stream = b"".join(encode_event(text, id=number) for number, text in enumerate(data))
        ids = [event.id for event in decode([stream])[0]]
        assert [str(number) for number in range(len(data))] == ids

    @pytest.mark.parametrize(
        ("encoded", "expected"),
        [
            (encode_event("a"), b"data: a\n\n"),
            (encode_event(b'{"a":1}', id=7), b'id: 7\ndata: {"a":1}\n\n'),
            (encode_event("", id=""), b"id: \ndata: \n\n"),
            (encode_event("a\nb\rc\r\nd\n"), b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
            (encode_event(b"a\r\nb"), b"data: a\ndata: b\n\n"),
            (encode_event(" a", type="x"), b"event: x\ndata:  a\n\n"),
            (
                encode_event("\u20ac", id="\u00fc", type="x", retry_ms=0),
                b"id: \xc3\xbc\nevent: x\nretry: 0\ndata: \xe2\x82\xac\n\n",
            ),
        ],
    )
    def test_the_bytes_are_these(self, encoded, expected):
        """Data comes last, and its lines are those that readers look for: `data: `."""
        assert expected == encoded

    @pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b", "\n", "\ud83d"])
    def test_an_id_or_type_that_no_reader_would_get_back_is_refused(self, bad):
        """A line end in it would let a caller's value write fields and events of its own."""
        with pytest.raises(ProtocolError, match="id"):
            encode_event("a", id=bad)
        with pytest.raises(ProtocolError, match="event"):
            encode_event("a", type=bad)

    def test_a_lone_surrogate_in_data_is_refused(self):
        """It has no UTF-8, and the error is one of ours."""
        with pytest.raises(ProtocolError, match="character 1"):
            encode_event("a\ud83d")

    def test_a_negative_reconnection_time_is_refused(self):
        """Readers would ignore it."""
        with pytest.raises(ProtocolError, match="-1 ms"):
            encode_event("a", retry_ms=-1)


class TestHeartbeat:
    def test_it_is_one_comment_line_and_no_blank_line(self):
        """Clients that dispatch at every blank line must see none (see the constant)."""
        assert HEARTBEAT.startswith(b":")
        assert 1 == HEARTBEAT.count(b"\n")
        assert HEARTBEAT.endswith(b"\n")

    def test_it_may_come_between_any_two_events(self):
        """It changes neither events nor ids."""
        event = encode_event("a", id=1)
        expected = [ServerSentEvent("a", id="1")] * 2
        assert (expected, "1", None) == decode([HEARTBEAT, event, HEARTBEAT, event, HEARTBEAT])


class TestBlocksReadOneByOne:
    """A read that is exactly one block takes a short cut, which remembers how blocks begin."""

    BLOCKS = (
        "data: a\n\n",
        "data: \n\n",
        "event: x\ndata: a\n\n",
        "event: x\ndata: \n\n",
        "event: y\ndata: a\n\n",
        "event: \ndata: a\n\n",
        f"event: {'long' * 50}\ndata: a\n\n",
        "event: x\ndata: a\ndata: b\n\n",
        "event: x\nid: 7\ndata: a\n\n",
        "event: x\n\n",
        "event: x\ndata:a\n\n",
        "data: event: x\n\n",
        "id: 8\nevent: x\ndata: a\n\n",
        ": x\nevent: x\ndata: a\n\n",
        "event: x\r\ndata: a\r\n\r\n",
        "event: é\ndata: 🙂\n\n",
        "event: x",
        "event: x\ndata: a\n",
        "\n",
    )

    @given(st.lists(st.sampled_from(BLOCKS), max_size=8))
    @example(["event: x\ndata: a\n\n", "event: x\ndata: a\n\n", "event: y\ndata: a\n\n"])
    def test_whatever_came_before_each_is_read_by_the_standard(self, blocks):
        """Blocks of all kinds in any order give what a plain reading of the whole gives."""
        chunks = [block.encode() for block in blocks]
        assert reference(b"".join(chunks)) == decode(chunks)

    @given(st.lists(st.binary(max_size=3), min_size=1, max_size=6))
    def test_bytes_that_are_no_text_are_replaced_in_types_too(self, names):
        """The same in the short cut as out of it."""
        plain = [name.translate(None, b"\r\n") for name in names]
        chunks = [b"event: %b\ndata: %b\n\n" % (name, name) for name in plain for _ in range(3)]
        assert decode([b"".join(chunks)]) == decode(chunks)
