r"""A recording: one provider stream and its timing, as a file of JSON lines.

Knows the format, and what a broken file is. What is written when is `recording`'s
business, and how it is played again `replay`'s.

The first line is a `Header`. Each line after it is one read, with the bytes exactly
as they were read, or, last, how the stream ended. `t` counts the seconds since the
request was sent.

    {"tickertape_recording":1,"recorded_at":"…","provider":"azure","model":"gpt-4o",…}
    {"t":0.41,"data":"data: {\"choices\":[…]}\n\n"}
    {"t":0.83,"data":{"base64":"ZGF0YTog…"}}
    {"t":0.84,"end":"closed"}

Whoever writes it writes whole lines, so that a crash leaves a valid beginning: a
last line that is torn is left out, and a recording without its end is one that was
cut. Fields that are not known are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.core.events import ErrorCode
from tickertape.providers.translators.json_text import UNREADABLE

VERSION: Final = 1
"""Rises when a file can no longer be read by what read the version before."""

MAX_RECORDING_BYTES: Final = 67_108_864
"""A recording is held in memory while it can be replayed."""

Seconds: TypeAlias = Annotated[float, Meta(ge=0)]

EndKind: TypeAlias = Literal["end_of_file", "broken", "closed", "refused"]
"""How a stream ended: by itself, by an error while it was read, by us, or before it began."""

RecordedApi: TypeAlias = Literal["chat_completions", "completions", "responses", "other"]
"""Whose bytes these are. `other` stands for a translator that is not one of ours."""


class Response(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was known of the answer before its first byte."""

    t: Seconds
    status: int | None = None
    headers: dict[str, str] = {}


class Header(Struct, frozen=True, kw_only=True):
    """The first line: what was asked, and who understands the answer."""

    tickertape_recording: int = VERSION
    recorded_at: str
    """When, in UTC, as ISO 8601."""
    provider: str
    model: str
    api: RecordedApi
    end_policy: Literal["finish_reason", "done_is_enough"] | None = None
    """What counts as a proper end; None where the API says it by itself."""
    expected_choices: int = 1
    request: dict[str, object]
    response: Response | None
    """None where there was none: the provider refused, or was not reached."""


class RecordedError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `ProviderError`, without the provider's own words."""

    code: ErrorCode
    message: str
    detail: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    is_retryable: bool = False

    def to_error(self) -> ProviderError:
        """Return a new error that says the same."""
        return ProviderError(
            self.code,
            self.message,
            detail=self.detail,
            status=self.status,
            retry_after_s=self.retry_after_s,
            is_retryable=self.is_retryable,
        )


class Read(Struct, frozen=True):
    """What one read brought, at least one byte."""

    t: float
    data: bytes
    is_resumed: bool = False
    """It came on another connection, which went on where the one before was cut."""


class End(Struct, frozen=True):
    """How and when the stream ended."""

    t: float
    kind: EndKind
    error: RecordedError | None = None


class Recording(Struct, frozen=True):
    """A whole file. `end` is None where the file stops before the stream did."""

    header: Header
    reads: tuple[Read, ...]
    end: End | None


class _Base64(Struct):
    base64: bytes


class _Line(Struct, kw_only=True, omit_defaults=True):
    t: Seconds
    resumed: bool = False
    data: str | _Base64 | None = None
    end: EndKind | None = None
    error: RecordedError | None = None


class _Version(Struct):
    tickertape_recording: int


_encoder: Final = msgspec.json.Encoder()
_decode_version: Final = msgspec.json.Decoder(_Version).decode
_decode_header: Final = msgspec.json.Decoder(Header).decode
_decode_line: Final = msgspec.json.Decoder(_Line).decode


def encode_header(header: Header) -> bytes:
    """Return the first line."""
    return _encoder.encode(header) + b"\n"


def encode_read(read: Read) -> bytes:
    """Return the line of one read: text where the bytes are text, else base64."""
    try:
        data: str | _Base64 = read.data.decode()
    except UnicodeDecodeError:
        data = _Base64(read.data)
    return _encoder.encode(_Line(t=read.t, data=data, resumed=read.is_resumed)) + b"\n"


def encode_end(end: End) -> bytes:
    """Return the last line."""
    return _encoder.encode(_Line(t=end.t, end=end.kind, error=end.error)) + b"\n"


def load_recording(path: Path) -> Recording:
    """Return what the file holds.

    Raises:
        ConfigurationError: it can't be read, or is not a recording; the message
            names the file and the line.
    """
    first, *rest = _read_whole(path).split(b"\n")
    header = _header(first, path)
    reads: list[Read] = []
    end: End | None = None
    for number, item in _items(rest, path):
        if end is not None:
            raise _broken(path, number, "nothing may follow the line that has the end")
        if isinstance(item, End):
            end = item
        else:
            reads.append(item)
    _require_sense(header, reads, end, path)
    return Recording(header, tuple(reads), end)


def _read_whole(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECORDING_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"the recording {path} can't be read: {why}") from error
    if not data:
        raise ConfigurationError(f"{path} is empty, and so no recording")
    if len(data) > MAX_RECORDING_BYTES:
        raise ConfigurationError(
            f"{path} has more than the {MAX_RECORDING_BYTES} bytes of a recording"
        )
    return data


def _header(line: bytes, path: Path) -> Header:
    try:
        version = _decode_version(line).tickertape_recording
    except UNREADABLE as error:
        raise _broken(
            path, 1, f'not a recording, which begins with {{"tickertape_recording":{VERSION}'
        ) from error
    if version > VERSION:
        raise _broken(
            path, 1, f"format {version} is newer than {VERSION}, which this version reads; upgrade"
        )
    try:
        return _decode_header(line)
    except UNREADABLE as error:
        raise _broken(path, 1, str(error)) from error


def _items(lines: list[bytes], path: Path) -> Iterator[tuple[int, Read | End]]:
    """Give the reads and the end, each with the number of its line."""
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        try:
            yield number, _item(_decode_line(line))
        except UNREADABLE as error:
            is_torn = number == len(lines) + 1  # no line feed came after it
            if not is_torn:
                raise _broken(path, number, str(error)) from error


def _item(line: _Line) -> Read | End:
    """Return what a line says.

    Raises:
        ValueError: it says both, or nothing.
    """
    match line:
        case _Line(data=None, end=str() as kind):
            if (line.error is None) is (kind in {"broken", "refused"}):
                raise ValueError(
                    f"an end {kind!r} {'needs an' if not line.error else 'has no'} error"
                )
            return End(line.t, kind, line.error)
        case _Line(data=str() | _Base64() as data, end=None):
            read = data.encode() if isinstance(data, str) else data.base64
            if not read:
                raise ValueError("data is empty, which would mean the end of the file")
            return Read(line.t, read, line.resumed)
        case _:
            raise ValueError("a line has either data or an end")


def _require_sense(header: Header, reads: list[Read], end: End | None, path: Path) -> None:
    is_refused = end is not None and end.kind == "refused"
    if is_refused is (header.response is not None) or (is_refused and reads):
        raise _broken(path, 1, "a provider either gave a response or refused to")


def _broken(path: Path, line: int, why: str) -> ConfigurationError:
    return ConfigurationError(f"{path}, line {line}: {why}")
