"""What faults do to an answer's frames."""

import json

import pytest

from tickertape.testing.fault_server.chat import chat_frames
from tickertape.testing.fault_server.content import encode, spoil, spoil_body
from tickertape.testing.fault_server.responses import response_frames
from tickertape.testing.faults import Faults, StreamError


@pytest.fixture
def frames(call):
    return chat_frames(call(wants_usage=True, flavor="azure"))


def changed(frames, call, **faults):
    return spoil(frames, Faults(**faults), call())


def test_without_faults_nothing_changes(frames, call):
    """The same frames."""
    assert frames == changed(frames, call)


@pytest.mark.parametrize(
    ("omission", "kept"),
    [
        ("done", [0, 1, 2, 3, 4, 5]),
        ("usage", [0, 1, 2, 3, 4, 6]),
        ("finish_reason", [0, 1, 2, 3, 5, 6]),
        ("prompt_filter_results", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_what_is_omitted_is_not_sent(frames, call, omission, kept):
    """And nothing else is missing."""
    expected = [frames[at] for at in kept]
    assert expected == changed(frames, call, omit=frozenset({omission}))


def test_without_a_finish_reason_a_response_has_no_end(call):
    """Its last event is what tells."""
    frames = response_frames(call())
    assert frames[:-1] == changed(frames, call, omit=frozenset({"finish_reason"}))


def test_a_chunk_can_come_twice(frames, call):
    """Right after itself."""
    assert [*frames[:3], frames[2], *frames[3:]] == changed(frames, call, duplicate_at=2)


def test_two_chunks_can_change_places(frames, call):
    """The others stay."""
    expected = [*frames[:2], frames[3], frames[2], *frames[4:]]
    assert expected == changed(frames, call, swap_at=2)


def test_positions_count_what_is_left(frames, call):
    """After the omissions."""
    faults = {"omit": frozenset({"prompt_filter_results"}), "duplicate_at": 0}
    assert [frames[1], *frames[1:]] == changed(frames, call, **faults)


def test_a_chunk_can_stop_halfway(frames, call):
    """Its data is no JSON; its neighbours are as they were."""
    found = changed(frames, call, invalid_json_at=2)
    with pytest.raises(json.JSONDecodeError):
        json.loads(found[2].lines[0].removeprefix(b"data: "))
    assert [*frames[:2], *frames[3:]] == [*found[:2], *found[3:]]


@pytest.mark.parametrize("make", [chat_frames, response_frames])
def test_a_chunk_can_have_a_byte_that_is_no_utf8(call, make):
    """Where the text is: with a lenient decoder it is JSON still, with one strange character."""
    frames = make(call())
    at = next(at for at, frame in enumerate(frames) if b'"Hello"' in frame.lines[-1])
    line = changed(frames, call, invalid_utf8_at=at)[at].lines[-1]
    with pytest.raises(UnicodeDecodeError):
        line.decode()
    assert b'"\xffHello"' in line
    json.loads(line.removeprefix(b"data: ").decode(errors="replace"))


@pytest.mark.parametrize("name", ["invalid_json_at", "invalid_utf8_at", "duplicate_at", "swap_at"])
def test_a_position_beyond_the_end_changes_nothing(frames, call, name):
    """A short answer is not an error."""
    assert frames == changed(frames, call, **{name: 99})


def test_an_error_takes_the_place_of_the_rest(frames, call):
    """`[DONE]` included."""
    found = changed(frames, call, failure=StreamError(after_chunks=2))
    assert frames[:2] == found[:2]
    assert ["error"] == [frame.kind for frame in found[2:]]


def test_an_error_goes_on_counting(call):
    """Its sequence number is the next one."""
    error = StreamError(shape="responses_error", after_chunks=4)
    found = changed(response_frames(call()), call, failure=error)
    assert [0, 1, 2, 3, 4] == [frame.sequence_number for frame in found]


@pytest.mark.parametrize(("name", "end"), [("lf", b"\n"), ("crlf", b"\r\n"), ("cr", b"\r")])
def test_every_line_end_is_the_chosen_one(call, name, end):
    """All of them, also of the `event:` lines."""
    data = b"".join(encode(response_frames(call()), Faults(line_end=name)))
    assert 10 * 3 == data.count(end)
    assert 10 * 3 * len(end) == data.count(b"\r") + data.count(b"\n")


def test_a_byte_order_mark_comes_first(frames):
    """Once."""
    data = b"".join(encode(frames, Faults(has_byte_order_mark=True)))
    assert data.startswith(b"\xef\xbb\xbfdata: ")
    assert 1 == data.count(b"\xef\xbb\xbf")
    assert [] == encode([], Faults(has_byte_order_mark=True))


def test_a_whole_body_is_spoiled_the_same_way():
    """It is chunk 0."""
    body = b'{"content":"Hello"}'
    assert body[:9] == spoil_body(body, Faults(invalid_json_at=0))
    assert b'{"content":"\xffHello"}' == spoil_body(body, Faults(invalid_utf8_at=0))
    assert b"\xef\xbb\xbf" + body == spoil_body(body, Faults(has_byte_order_mark=True))
    assert body == spoil_body(body, Faults(invalid_json_at=1))
