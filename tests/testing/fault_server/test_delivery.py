"""How an answer's bytes travel, as a list of steps."""

import itertools

import pytest

from tickertape.testing.fault_server.delivery import End, Hold, Wait, Write, deliver
from tickertape.testing.faults import EndOfFile, Faults, Rejection, Reset, Stall

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
CHUNKS = [b"one ", b"two ", b"three"]
BODY = b"".join(CHUNKS)


def steps(faults=None, *, framing="close", chunks=CHUNKS):
    return list(deliver(chunks, faults or Faults(), head=HEAD, framing=framing))


def bodies(found):
    return [step.wire for step in found if isinstance(step, Write)][1:]


def test_a_good_answer_is_one_write_a_chunk():
    """Headers, chunks, end."""
    assert [
        Write(HEAD),
        Write(b"one ", 4, 1, 0),
        Write(b"two ", 4, 1, 1),
        Write(b"three", 5, 1, 2),
        End("close"),
    ] == steps()


def test_chunked_framing_ends_with_an_empty_chunk():
    """The end of the body is told, and the connection stays."""
    found = steps(framing="chunked")
    assert [b"4\r\none \r\n", b"4\r\ntwo \r\n", b"5\r\nthree\r\n", b"0\r\n\r\n"] == bodies(found)
    assert End("keep") == found[-1]


def test_a_burst_is_one_write():
    """Two chunks, then the one that is left."""
    found = steps(Faults(chunks_per_write=2))
    assert [Write(b"one two ", 8, 2, 1), Write(b"three", 5, 1, 2)] == found[1:-1]


def test_bytes_per_write_cuts_anywhere():
    """A chunk counts when its last byte is sent; each write knows the last one it touches."""
    found = steps(Faults(bytes_per_write=3))
    assert [
        Write(b"one", 3, 0, 0),
        Write(b" tw", 3, 1, 1),
        Write(b"o t", 3, 1, 2),
        Write(b"hre", 3, 0, 2),
        Write(b"e", 1, 1, 2),
    ] == found[1:-1]


def test_pace_waits_between_writes():
    """Neither before the first nor after the last."""
    found = steps(Faults(pace_s=0.5))
    kinds = [type(step) for step in found]
    assert [Write, Write, Wait, Write, Wait, Write, End] == kinds
    assert Wait(0.5) == found[2]


def test_the_first_byte_can_be_late():
    """Before the headers, not after them."""
    assert [Wait(2.0), Write(HEAD)] == steps(Faults(first_byte_delay_s=2.0))[:2]


@pytest.mark.parametrize("at", range(len(BODY) + 3))
@pytest.mark.parametrize("size", [None, 1, 4])
def test_a_reset_comes_after_exactly_so_many_bytes(at, size):
    """Wherever that is in a chunk, however the bytes are cut; at the latest, at the end."""
    found = steps(Faults(failure=Reset(after_bytes=at), bytes_per_write=size))
    assert BODY[:at] == b"".join(bodies(found))
    assert End("reset", is_cut=True) == found[-1]
    sent = sum(step.completes for step in found if isinstance(step, Write))
    assert sum(end <= at for end in itertools.accumulate(map(len, CHUNKS))) == sent


@pytest.mark.parametrize(("after", "sent"), [(0, b""), (2, b"one two "), (9, BODY)])
def test_an_end_of_file_comes_after_so_many_chunks(after, sent):
    """No step follows it."""
    found = steps(Faults(failure=EndOfFile(after_chunks=after)))
    assert sent == b"".join(bodies(found))
    assert End("close", is_cut=True) == found[-1]


def test_an_end_of_file_can_end_the_body_as_it_should():
    """Then only the answer is incomplete, and the connection is good for another request."""
    found = steps(Faults(failure=EndOfFile(after_chunks=1)), framing="chunked")
    assert [b"4\r\none \r\n", b"0\r\n\r\n"] == bodies(found)
    assert End("keep", is_cut=True) == found[-1]


def test_an_end_of_file_can_leave_the_body_open():
    """Then an HTTP client can notice."""
    failure = EndOfFile(after_chunks=1, ends_body=False)
    found = steps(Faults(failure=failure), framing="chunked")
    assert [b"4\r\none \r\n"] == bodies(found)
    assert End("close", is_cut=True) == found[-1]


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (Reset(), End("reset", is_cut=True)),
        (EndOfFile(), End("close", is_cut=True)),
    ],
)
@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_without_a_position_it_breaks_before_any_answer(failure, end, framing):
    """Not even headers are sent."""
    assert [end] == steps(Faults(failure=failure), framing=framing)


def test_a_stall_holds_and_then_goes_on():
    """All bytes come, some of them later."""
    found = steps(Faults(failure=Stall(after_bytes=6, for_s=3)))
    assert [b"one ", b"tw", b"o ", b"three"] == bodies(found)
    assert Hold(3, b"", 1.0) == found[3]


def test_a_stall_without_a_position_holds_back_the_headers():
    """The connection is accepted, and that is all."""
    assert [Hold, Write, Write] == [type(step) for step in steps(Faults(failure=Stall()))][:3]


def test_a_stall_after_no_chunks_follows_the_headers():
    """Headers, then nothing."""
    found = steps(Faults(failure=Stall(after_chunks=0)))
    assert [Write(HEAD), Hold(None, b"", 1.0)] == found[:2]


def test_heartbeats_are_framed_like_all_bytes():
    """Else a chunked body would break."""
    failure = Stall(after_chunks=1, heartbeat=": hb\n")
    (hold,) = [
        step for step in steps(Faults(failure=failure), framing="chunked") if type(step) is Hold
    ]
    assert b"5\r\n: hb\n\r\n" == hold.heartbeat


@pytest.mark.parametrize(
    ("hold", "waits"),
    [
        (Hold(None, b"", 1.0), []),
        (Hold(2.5, b"", 1.0), [(2.5, b"")]),
        (Hold(2.5, b"h", 1.0), [(1.0, b"h"), (1.0, b"h"), (0.5, b"")]),
        (Hold(1.0, b"h", 1.0), [(1.0, b"")]),
    ],
)
def test_a_hold_lasts_as_long_as_it_should(hold, waits):
    """Heartbeats come within it, not at its end."""
    assert waits == list(hold.waits())


def test_a_hold_without_a_limit_beats_for_ever():
    """Until somebody ends it."""
    beats = Hold(None, b"h", 2.0).waits()
    assert [(2.0, b"h")] * 5 == list(itertools.islice(beats, 5))


def test_a_rejection_is_delivered_like_any_answer():
    """It is the responder who makes it one."""
    assert steps() == steps(Faults(failure=Rejection()))


def test_an_empty_answer_is_headers_and_an_end():
    """A re-attached reader may find nothing left."""
    assert [Write(HEAD), End("close")] == steps(chunks=[])
    assert [Write(HEAD), End("close")] == steps(Faults(bytes_per_write=1), chunks=[])
