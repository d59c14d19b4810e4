"""The format of recordings: what is written, and what a broken file says."""

from __future__ import annotations

import json

import pytest

from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.providers import recording_file
from tickertape.providers.recording_file import (
    End,
    Header,
    Read,
    RecordedError,
    Recording,
    Response,
    encode_end,
    encode_header,
    encode_read,
    load_recording,
)

HEADER = Header(
    recorded_at="2026-11-23T06:30:00+00:00",
    provider="azure",
    model="gpt-4o",
    api="chat_completions",
    end_policy="finish_reason",
    request={"model": "gpt-4o"},
    response=Response(t=0.25, status=200, headers={"content-type": "text/event-stream"}),
)
REFUSED = Header(recorded_at="", provider="p", model="m", api="other", request={}, response=None)
ERROR = RecordedError(code="rate_limited", message="wait", status=429, retry_after_s=1.5)
FIRST = encode_header(HEADER)
READ = encode_read(Read(0.5, b"data: 1\n\n"))
END = encode_end(End(1.0, "closed"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.jsonl"


def loaded(path, data):
    path.write_bytes(data)
    return load_recording(path)


def test_what_is_written_is_read(path):
    """Every field, and every byte."""
    reads = (
        Read(0.5, b'data: {"a":"\xc3\xa4\\n"}\r\n\n'),
        Read(0.75, b"cut inside \xf0\x9f"),
        Read(0.75, b"\x91\x8b\0", is_resumed=True),
    )
    end = End(2.0, "broken", ERROR)
    data = FIRST + b"".join(map(encode_read, reads)) + encode_end(end)
    assert Recording(HEADER, reads, end) == loaded(path, data)


def test_text_stays_legible():
    """Base64 is for bytes that are no text by themselves."""
    text, cut = encode_read(Read(0.5, "data: ä\n".encode())), encode_read(Read(1.0, b"\xf0\x9f"))
    assert {"t": 0.5, "data": "data: ä\n"} == json.loads(text)
    assert {"t": 1.0, "data": {"base64": "8J8="}} == json.loads(cut)


def test_an_error_is_the_providers_again():
    """With all that it says."""
    error = ERROR.to_error()
    assert isinstance(error, ProviderError)
    assert ("rate_limited", "wait", 429, 1.5, False) == (
        error.code,
        str(error),
        error.status,
        error.retry_after_s,
        error.is_retryable,
    )


@pytest.mark.parametrize("cut", range(1, len(READ)))
def test_a_torn_last_line_is_left_out(path, cut):
    """Whoever wrote it crashed; what was written before is whole."""
    recording = loaded(path, FIRST + READ + READ[:cut])
    # All but its line feed is a whole line.
    assert 1 + (cut == len(READ) - 1) == len(recording.reads)
    assert recording.end is None


def test_lines_may_have_been_touched_by_others(path):
    """By an editor (no line feed at the end), by git on Windows, by a newer version."""
    first = FIRST.replace(b'"recorded_at"', b'"new":{"a":1},"recorded_at"')
    data = (first + b"\n" + READ + END).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    recording = loaded(path, data)
    assert (HEADER, End(1.0, "closed")) == (recording.header, recording.end)
    assert (b"data: 1\n\n",) == tuple(read.data for read in recording.reads)


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"hello\n", 1, "not a recording"),
        (b"[1]\n", 1, "not a recording"),
        (b'{"t":1,"data":"x"}\n', 1, "not a recording"),
        (FIRST[:20], 1, "not a recording"),
        (b"\x80\n", 1, "not a recording"),
        (FIRST.replace(b'recording":1', b'recording":2'), 1, "format 2 is newer than 1"),
        (b'{"tickertape_recording":1}\n', 1, "missing required field `recorded_at`"),
        (FIRST.replace(b"chat_completions", b"chat"), 1, r"\$\.api"),
        (FIRST + b"{\n" + READ, 2, "truncated"),
        (FIRST + READ + b'{"t":1,"data":5}\n', 3, r"\$\.data"),
        (FIRST + READ + b'{"t":-1,"data":"x"}\n', 3, r"\$\.t"),
        (FIRST + b'{"data":"x"}\n', 2, "missing required field `t`"),
        (FIRST + b'{"t":1,"data":"\xff"}\n', 2, "utf-8"),
        (FIRST + b'{"t":1,"data":""}\n', 2, "data is empty"),
        (FIRST + b'{"t":1,"data":{"base64":""}}\n', 2, "data is empty"),
        (FIRST + b'{"t":1,"data":{"base64":"?"}}\n', 2, "base64"),
        (FIRST + b'{"t":1}\n', 2, "either data or an end"),
        (FIRST + b'{"t":1,"data":"x","end":"closed"}\n', 2, "either data or an end"),
        (FIRST + b'{"t":1,"end":"died"}\n', 2, r"\$\.end"),
        (FIRST + b'{"t":1,"end":"broken"}\n', 2, "'broken' needs an error"),
        (FIRST + encode_end(End(1.0, "closed", ERROR)), 2, "'closed' has no error"),
        (FIRST + b'{"t":1,"end":"broken","error":{"code":"x","message":""}}\n', 2, "code"),
        (FIRST + END + READ, 3, "nothing may follow"),
        (FIRST + END + END, 3, "nothing may follow"),
        (FIRST + encode_end(End(1.0, "refused", ERROR)), 1, "either gave a response or"),
        (encode_header(REFUSED), 1, "either gave a response or"),
        (encode_header(REFUSED) + READ, 1, "either gave a response or"),
        (encode_header(REFUSED) + READ + encode_end(End(1.0, "refused", ERROR)), 1, "either gave"),
    ],
)
def test_a_broken_file_says_where(path, data, line, words):
    """The error names the file, the line, and what is wrong there."""
    with pytest.raises(ConfigurationError, match=f"line {line}: .*{words}") as caught:
        loaded(path, data)
    assert str(caught.value).startswith(f"{path}, ")


def test_a_file_that_can_not_be_read_is_named(path, tmp_path, monkeypatch):
    """Not there, a folder, empty, or beyond what is held in memory."""
    for there, words in [
        (path, "can't be read: No such file"),
        (tmp_path, "can't be read: Is a directory"),
        (tmp_path / "\0", "can't be read: embedded null"),
    ]:
        with pytest.raises(ConfigurationError, match=words):
            load_recording(there)
    with pytest.raises(ConfigurationError, match=r"x\.jsonl is empty"):
        loaded(path, b"")
    monkeypatch.setattr(recording_file, "MAX_RECORDING_BYTES", len(FIRST))
    assert loaded(path, FIRST).header == HEADER
    with pytest.raises(ConfigurationError, match="more than the"):
        loaded(path, FIRST + READ)
