"""HTTP to a server of ours: requests, what their statuses mean, and bodies as bytes.

The one file of the client that imports aiohttp. Knows no run and no event; when
to try again is the reader's decision.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from typing import Final, NoReturn, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec
from yarl import URL

from tickertape.core.errors import (
    ConfigurationError,
    IdempotencyConflict,
    InvalidRequest,
    ProtocolError,
    RecordsLost,
    RunTrimmed,
    TickertapeError,
    UnknownRun,
)
from tickertape.providers.address import proxy_for

SILENCE_TIMEOUT_S: Final = 45.0
"""A server sends a heartbeat every 15 s; three that are missing mean that it is gone."""

CONNECT_TIMEOUT_S: Final = 10.0

_EVENT_STREAM: Final = "text/event-stream"
_BODY_BYTES: Final = 65_536
_BODY_TIMEOUT_S: Final = 5.0


class Interrupted(TickertapeError):
    """The server was not reached, or broke off, in a way that trying again may mend."""

    def __init__(self, message: str, *, asked_s: float = 0.0) -> None:
        self.asked_s = asked_s
        """How long the server asked not to be called (`Retry-After`)."""
        super().__init__(message)


class CursorRefused(InvalidRequest):
    """The server's log does not reach to the cursor."""


class _ErrorBody(msgspec.Struct):
    code: str = ""
    message: str = ""
    param: str | None = None


class _Refusal(msgspec.Struct):
    error: _ErrorBody


_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode


class ServerSession:
    """Requests to one server. Belongs to the running event loop; close it."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        silence_timeout_s: float = SILENCE_TIMEOUT_S,
    ) -> None:
        """`headers` go with every request: what the application signs its users in with.

        Raises:
            ConfigurationError: the URL is not one of HTTP.
        """
        self.base_url = base_url.rstrip("/")
        if urlsplit(self.base_url).scheme not in {"http", "https"}:
            raise ConfigurationError(
                f"{base_url!r} is not the URL of a server; it begins with http:// or https://"
            )
        self._headers = dict(headers or {})
        self._silence_timeout_s = silence_timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> ServerReply:
        """Send a request and return the reply once its status says that it is good.

        Raises:
            Interrupted: not reached, or it can't answer now.
            UnknownRun, RunTrimmed, RecordsLost, InvalidRequest, ConfigurationError: it
                refuses for good.
        """
        url = self.base_url + path
        try:
            response = await self._opened().request(
                method,
                URL(url, encoded=True),
                headers={
                    "Accept": _EVENT_STREAM if method != "DELETE" else "application/json",
                    "Accept-Encoding": "identity",
                    "User-Agent": "tickertape",
                    **self._headers,
                    **(headers or {}),
                },
                # As a file: aiohttp warns of large bodies that come as bytes.
                data=None if body is None else io.BytesIO(body),
                # They would carry the application's credentials to another host.
                allow_redirects=False,
                proxy=proxy_for(url),
            )
        except aiohttp.InvalidURL as error:
            raise ConfigurationError(f"{self.base_url!r} can't be called: {error}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Interrupted(f"{self.base_url} was not reached: {_words(error)}") from error
        reply = ServerReply(response)
        if reply.status >= 300:
            try:
                await self._refuse(reply, path)
            finally:
                reply.close()
        return reply

    async def close(self) -> None:
        """Close every connection. Safe to repeat."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=CONNECT_TIMEOUT_S, sock_read=self._silence_timeout_s
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _refuse(self, reply: ServerReply, path: str) -> NoReturn:
        """Raise what a status that is not good means."""
        error = await _error_of(reply)
        message = error.message or f"{self.base_url} answered with status {reply.status}"
        if reply.status in {429, 500, 502, 503, 504} and error.code != "not_configured":
            raise Interrupted(message, asked_s=reply.retry_after_s)
        run_id = path.rpartition("/")[2]
        match reply.status:
            case 404 if error.code == "unknown_run":
                raise UnknownRun(run_id)
            case 410 if error.code == "run_trimmed":
                raise RunTrimmed(run_id)
            case 409 if error.code == "records_lost":
                raise RecordsLost(run_id)
            case 400 if error.code == "cursor_beyond_end":
                raise CursorRefused(message, param=error.param)
            case 409:
                raise IdempotencyConflict(message, param=error.param)
            case 401 | 403:
                raise ConfigurationError(
                    f"{self.base_url} wants to know who asks ({reply.status}): {message}; "
                    "sign in with headers="
                )
            case 404:
                raise ConfigurationError(f"there is no Tickertape server at {self.base_url}")
            case 503:
                raise ConfigurationError(message)
            case status if status < 400:
                raise ConfigurationError(
                    f"{self.base_url} redirects to {reply.headers.get('Location', 'elsewhere')!r}; "
                    "use the URL that it redirects to"
                )
            case _:
                raise InvalidRequest(message, param=error.param)


class ServerReply:
    """A reply whose status is known. `close` it in every case."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def retry_after_s(self) -> float:
        """Return for how long the server asked not to be called; 0 when it did not."""
        value = self.headers.get("Retry-After", "")
        # It may be a date instead; then the reader's own waits are as good.
        return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0.0

    def require_events(self) -> None:
        """Return if the body is a stream of events.

        Raises:
            ProtocolError: it is something else; a server of ours was not reached.
        """
        content_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type != _EVENT_STREAM:
            raise ProtocolError(
                f"{self._response.url} answered with {content_type or 'no content type'!r}, "
                f"not {_EVENT_STREAM}; is it a Tickertape server?"
            )

    async def read(self) -> bytes:
        """Return what has arrived, at least a byte; `b""` at the end of file.

        Raises:
            Interrupted: the connection broke, or was silent for too long.
        """
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as error:
            # RuntimeError: aiohttp's word for reading from a connection that is gone.
            raise Interrupted(f"the connection broke: {_words(error)}") from error

    def close(self) -> None:
        """Close the connection at once. A `read` that waits ends. Safe to repeat."""
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # close() would wait for TLS to say goodbye
        if self._response.content.exception() is None:
            # See `providers.http.ByteStream.close`.
            self._response.content.set_exception(aiohttp.ClientConnectionError("closed"))
        self._response.close()


async def _error_of(reply: ServerReply) -> _ErrorBody:
    """Return what the body says, if it is one of ours."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            while len(body) < _BODY_BYTES and (chunk := await reply.read()):
                body += chunk
        return _decode_refusal(bytes(body)).error
    except (Interrupted, TimeoutError, msgspec.DecodeError, UnicodeDecodeError):
        return _ErrorBody()  # the status says enough


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
