"""Faults as values, and as JSON."""

import msgspec
import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.testing.faults import (
    BadFaults,
    EndOfFile,
    Faults,
    Rejection,
    Reset,
    Stall,
    StreamError,
)

FAILURES = [
    Stall(after_chunks=3, heartbeat=": hb\n", heartbeat_every_s=0.5),
    Reset(after_bytes=100),
    EndOfFile(after_chunks=2, ends_body=False),
    StreamError(shape="vllm", after_chunks=7),
    Rejection(status=503, retry_after_s=2, headers={"x-one": "1"}, body={"error": "no"}),
]


@pytest.mark.parametrize("failure", FAILURES)
def test_faults_survive_json(failure):
    """What was written to a file is what is read from it."""
    faults = Faults(pace_s=0.5, omit=frozenset({"done"}), failure=failure)
    assert faults == msgspec.json.decode(msgspec.json.encode(faults), type=Faults)


def test_the_names_in_json_are_the_names_of_the_fields():
    """A scenario file reads like the Python."""
    faults = msgspec.json.decode(
        b'{"bytes_per_write": 1, "failure": {"type": "end_of_file", "after_bytes": 9}}',
        type=Faults,
    )
    assert Faults(bytes_per_write=1, failure=EndOfFile(after_bytes=9)) == faults


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Stall(after_chunks=1, after_bytes=1), "exclude each other"),
        (lambda: Reset(after_chunks=1, after_bytes=1), "exclude each other"),
        (lambda: EndOfFile(after_bytes=-1), "after_bytes is -1"),
        (lambda: Stall(heartbeat=": hb\n"), "heartbeat needs after_chunks"),
        (lambda: Stall(after_bytes=5, heartbeat=": hb\n"), "heartbeat needs after_chunks"),
        (lambda: Stall(after_chunks=1, heartbeat_every_s=0), "heartbeat_every_s is 0"),
        (lambda: StreamError(after_chunks=-2), "after_chunks is -2"),
        (lambda: Rejection(status=200), "status is 200"),
        (lambda: Faults(pace_s=-1), "pace_s is -1"),
        (lambda: Faults(chunks_per_write=0), "chunks_per_write is 0"),
        (lambda: Faults(chunks_per_write=2, bytes_per_write=2), "exclude each other"),
        (lambda: Faults(swap_at=-1), "swap_at is -1"),
    ],
)
def test_impossible_faults_are_refused(make, said):
    """A mistake in a test shows where it is made, as an error of ours."""
    with pytest.raises(BadFaults, match=said) as raised:
        make()
    assert isinstance(raised.value, ConfigurationError)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"pase_s": 1}', "unknown field `pase_s`"),
        (b'{"failure": {"type": "explode"}}', r"'explode' - at `\$.failure.type`"),
        (b'{"failure": {"type": "reset", "after_bytes": -1}}', r"at `\$.failure.after_bytes`"),
        (
            b'{"failure": {"type": "reset", "after_bytes": 1, "after_chunks": 1}}',
            r"exclude each other; give one - at `\$.failure`",
        ),
    ],
)
def test_a_mistake_in_json_is_told_with_its_place(data, said):
    """The message names the field."""
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.json.decode(data, type=Faults)
