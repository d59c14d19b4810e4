"""Frames: one server-sent event each."""

import pytest

from tickertape.testing.fault_server.frames import DONE, data_frame


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_is_ended_and_a_blank_one_follows(end):
    """Also with an `event:` line."""
    frame = data_frame({"a": "é"}, event="x")
    assert end.join([b"event: x", 'data: {"a":"é"}'.encode(), b"", b""]) == frame.encode(end)


def test_done_is_exactly_what_clients_look_for():
    """No blank or character more."""
    assert b"data: [DONE]\n\n" == DONE.encode(b"\n")
