"""A provider whose streams are written to files as they come, to be replayed later.

Knows what of a call may be kept: never a key, of a request only what is no one's
words (unless that is asked for), of an error never the provider's. Of the answer
everything is kept: that is what a recording is. The format is `recording_file`'s.

A line is written and flushed for each read, on the event loop: this is for tests
and demos, not for every answer of a busy server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol, runtime_checkable

import msgspec

from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.core.request import Request
from tickertape.providers.base import Provider, ProviderStream, Translator
from tickertape.providers.recording_file import (
    End,
    EndKind,
    Header,
    Read,
    RecordedApi,
    RecordedError,
    Response,
    encode_end,
    encode_header,
    encode_read,
)
from tickertape.providers.refusal import REDACTED
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.completions import CompletionsTranslator
from tickertape.providers.translators.responses import ResponsesTranslator
from tickertape.providers.translators.surrogates import replace_surrogates

logger = logging.getLogger("tickertape.providers")

# What a request says that is a setting and nobody's words. Whatever is not listed is blotted
# out, so that a new field has to be thought about first.
_SETTINGS: Final = frozenset(
    {
        "model",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "n",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "reasoning_effort",
        "parallel_tool_calls",
    }
)
# What tells how an answer is sent. Ids of requests, accounts and sessions, limits and cookies
# are not among it.
_HEADERS: Final = frozenset(
    {
        "cache-control",
        "content-encoding",
        "content-type",
        "date",
        "openai-processing-ms",
        "openai-version",
        "server",
        "transfer-encoding",
        "x-ms-region",
    }
)


@runtime_checkable
class _HasResponse(Protocol):
    """A stream that came as an HTTP response."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


@runtime_checkable
class _Closes(Protocol):
    async def close(self) -> None: ...


@runtime_checkable
class _Describes(Protocol):
    def describe(self) -> str: ...


class RecordingFiles:
    """The files of one name: the first stream gets it, each further one a number.

    A further one is a second question, or another attempt at the first:
    `a.jsonl`, `a.2.jsonl`, `a.3.jsonl`. Only the first one may take the place of
    a file that is there, when there is something to write.
    """

    def __init__(self, path: Path | str, *, overwrites: bool = False) -> None:
        """Take a name for files to come.

        Raises:
            ConfigurationError: there is a file of that name, or no such folder.
        """
        self._overwrites = overwrites
        self.path = Path(path).expanduser().absolute()
        self.made: list[Path] = []
        """Those that there are by now."""
        if self.path.is_dir() or (self.path.exists() and not overwrites):
            raise ConfigurationError(f"{path} exists already; name another file to record to")
        if not self.path.parent.is_dir():
            raise ConfigurationError(f"{path} can't be recorded: there is no such folder")

    def create(self) -> BinaryIO | None:
        """Return the next file; None where it can't be made, which a warning tells."""
        path, number = self.path, 1
        while True:
            try:
                file = path.open("wb" if self._overwrites and not self.made else "xb")
            except FileExistsError:
                number += 1
                path = self.path.with_suffix(f".{number}{self.path.suffix}")
            except OSError as error:
                _warn(path, error)
                return None
            else:
                self.made.append(path)
                return file


class RecordingProvider:
    """Answers as another provider does, and writes each stream to a file."""

    def __init__(
        self,
        provider: Provider,
        files: RecordingFiles | Path | str,
        *,
        now: Callable[[], float],
        keep_prompts: bool = False,
    ) -> None:
        """Record what `provider` answers: each stream into a file of its own.

        A path stands for `RecordingFiles(path)`. `now` gives seconds since the epoch.

        Raises:
            ConfigurationError: there is a file of that name, or no such folder.
        """
        self.name = provider.name
        self.files = files if isinstance(files, RecordingFiles) else RecordingFiles(files)
        self._provider = provider
        self._now = now
        self._keep_prompts = keep_prompts

    def describe(self) -> str:
        """Return one line for the operator."""
        inner = self._provider
        what = inner.describe() if isinstance(inner, _Describes) else inner.name
        return f"{what}, recorded to {self.files.path}"

    async def close(self) -> None:
        """Close the provider that is recorded."""
        if isinstance(self._provider, _Closes):
            await self._provider.close()

    async def open(self, request: Request) -> RecordingStream:
        """Open the stream of the provider that is recorded.

        A refusal is recorded as well.

        Raises:
            ProviderError: as that provider does.
        """
        recorded_at, since = self._now(), _Stopwatch()
        try:
            stream = await self._provider.open(request)
        except ProviderError as error:
            header = self._header(request, recorded_at, api="other", response=None)
            _Writer(self.files.create()).write(
                encode_header(header)
                + encode_end(End(since.t(), "refused", _redacted_error(error))),
                is_last=True,
            )
            raise
        writer = _Writer(self.files.create())
        writer.write(encode_header(self._header_of(stream, request, recorded_at, since.t())))
        return RecordingStream(stream, writer, since)

    def _header_of(
        self, stream: ProviderStream, request: Request, recorded_at: float, t: float
    ) -> Header:
        response = Response(t=t)
        if isinstance(stream, _HasResponse):
            response = Response(t=t, status=stream.status, headers=_safe_headers(stream.headers))
        translator = stream.translator
        header = self._header(request, recorded_at, api=_api_of(translator), response=response)
        if isinstance(translator, ChatCompletionsTranslator | CompletionsTranslator):
            header = msgspec.structs.replace(
                header,
                end_policy=translator.end_policy.value,
                expected_choices=translator.expected_choices,
            )
        return header

    def _header(
        self,
        request: Request,
        recorded_at: float,
        *,
        api: RecordedApi,
        response: Response | None,
    ) -> Header:
        fields: dict[str, object] = msgspec.to_builtins(request)
        return Header(
            recorded_at=datetime.fromtimestamp(recorded_at, UTC).isoformat(timespec="seconds"),
            provider=self._provider.name,
            model=request.model,
            api=api,
            request=fields if self._keep_prompts else _redacted_request(fields),
            response=response,
        )


class RecordingStream:
    """One answer being received and written down; see `providers.base.ProviderStream`."""

    def __init__(self, stream: ProviderStream, writer: _Writer, since: _Stopwatch) -> None:
        self._stream = stream
        self._writer = writer
        self._since = since
        self._resumptions = 0

    @property
    def translator(self) -> Translator:
        """Return the translator of the stream that is recorded."""
        return self._stream.translator

    async def read(self) -> bytes:
        """Return the next bytes, once they are in the file.

        Raises:
            ProviderError: the connection broke (`truncated`).
        """
        try:
            chunk = await self._stream.read()
        except ProviderError as error:
            self._end("broken", _redacted_error(error))
            raise
        if chunk:
            read = Read(self._since.t(), chunk, is_resumed=self._was_resumed())
            self._writer.write(encode_read(read))
        else:
            self._end("end_of_file")
        return chunk

    def close(self) -> None:
        """Close the connection, and the file. Safe to repeat."""
        # First the file: the read that this wakes up has nothing more to tell.
        self._end("closed")
        self._stream.close()

    def _end(self, kind: EndKind, error: RecordedError | None = None) -> None:
        self._writer.write(encode_end(End(self._since.t(), kind, error)), is_last=True)

    def _was_resumed(self) -> bool:
        """Tell whether the translator was told of another connection since the last read."""
        translator = self._stream.translator
        before = self._resumptions
        if isinstance(translator, ResponsesTranslator):
            self._resumptions = translator.resumptions
        return self._resumptions > before


class _Stopwatch:
    """Counts from its making, on the event loop's clock."""

    __slots__ = ("_begun_s", "_clock")

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._begun_s = self._clock()

    def t(self) -> float:
        """Return the seconds since then; a microsecond is finer than any network."""
        return round(self._clock() - self._begun_s, 6)


class _Writer:
    """Writes lines to a file until the last one. One that can't be written is the last, too.

    An answer is worth more than its recording: it goes on.
    """

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file

    def write(self, lines: bytes, *, is_last: bool = False) -> None:
        file = self._file
        if file is None:
            return
        try:
            file.write(lines)
            file.flush()
        except OSError as error:
            _warn(file.name, error)
            is_last = True
        if is_last:
            self._file = None
            with suppress(OSError):  # what could not be flushed is told already
                file.close()


def _warn(path: Path | str, error: OSError) -> None:
    logger.warning("the recording %s stops here: %s", path, error.strerror)


def _api_of(translator: Translator) -> RecordedApi:
    match translator:
        case ChatCompletionsTranslator():
            return "chat_completions"
        case CompletionsTranslator():
            return "completions"
        case ResponsesTranslator():
            return "responses"
        case _:
            return "other"


def _redacted_request(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value if name in _SETTINGS else _redacted(name, value)
        for name, value in fields.items()
    }


def _redacted(name: str, value: object) -> object:
    if name == "messages" and isinstance(value, list):
        return [{"role": message["role"], "content": REDACTED} for message in value]
    return REDACTED


def _redacted_error(error: ProviderError) -> RecordedError:
    return RecordedError(
        code=error.code,
        message=str(error),
        detail=REDACTED if error.detail else "",
        status=error.status,
        retry_after_s=error.retry_after_s,
        is_retryable=error.is_retryable,
    )


def _safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to keep. A byte that is not UTF-8 has come as half a surrogate pair."""
    return {
        name.lower(): replace_surrogates(value)
        for name, value in headers.items()
        if name.lower() in _HEADERS
    }
