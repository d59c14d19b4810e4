"""The one module that opens a connection to a provider.

Knows HTTP: pooling, TLS, proxies, what a status means, and how to stop an
answer. Knows no model, no API and no event; deadlines on an answer are the
engine's. Everything that aiohttp raises is translated here, once.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Final, Self

import aiohttp
from yarl import URL

from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.providers.address import proxy_for, without_userinfo
from tickertape.providers.refusal import DETAIL_CHARS, error_of_response

ERROR_BODY_BYTES: Final = 65_536
"""How much of a refusal's body is read."""

STALE_WITHIN_S: Final = 1.0
"""A connection that went stale answers a request with its end within a round trip."""

LARGE_BODY_BYTES: Final = 1_048_576
"""aiohttp warns of larger bodies that come as bytes, since it writes those in one piece."""

_EVENT_STREAM: Final = "text/event-stream"
# Servers written by hand leave the type out (Starlette's StreamingResponse does, when it is
# given none) or send the default of their framework, and no SDK looks at it. The translator
# finds out soon enough whether these are events. JSON, HTML and NDJSON never are.
_MAYBE_EVENTS: Final = frozenset({"", "text/plain", "application/octet-stream"})


class HttpTransport:
    """Connections to providers, pooled. Belongs to the event loop that first uses it."""

    def __init__(
        self,
        *,
        connect_timeout_s: float = 10.0,
        error_body_timeout_s: float = 5.0,
        keepalive_timeout_s: float = 15.0,
        read_buffer_bytes: int = 65_536,
        tls: ssl.SSLContext | str | None = None,
    ) -> None:
        """`tls` is a context, or the path of a CA bundle, for endpoints with a private CA.

        None takes the machine's certificates (or those of `SSL_CERT_FILE`).
        Reading pauses while twice `read_buffer_bytes` wait to be read.
        """
        self._connect_timeout_s = connect_timeout_s
        self._error_body_timeout_s = error_body_timeout_s
        self._keepalive_timeout_s = keepalive_timeout_s
        self._read_buffer_bytes = read_buffer_bytes
        self._tls = _tls_context(tls)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, those of open streams too. Safe to repeat."""
        session, self._session, self._loop = self._session, None, None
        if session is not None:
            await session.close()

    async def open_stream(
        self, url: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> ByteStream:
        """POST a JSON body, and return the answer's bytes once the status is known.

        Without a body it is a GET. Redirects are not followed: they would carry the
        key to another host.

        Raises:
            ProviderError: not reached, or refused. Nothing stays open.
            ConfigurationError: the URL, or the environment's proxy, can't be used.
        """
        response = await self._send(url, headers=headers, body=body)
        try:
            await self._require_events(response, secrets=_secrets_of(headers))
        except BaseException:
            response.close()  # does nothing where the body was read whole: that one is pooled
            raise
        return ByteStream(response)

    async def post(self, url: str, *, headers: Mapping[str, str]) -> None:
        """POST nothing, and return once a good status is known. What is answered is not read.

        Raises:
            ProviderError: not reached, or refused.
            ConfigurationError: the URL, or the environment's proxy, can't be used.
        """
        response = await self._send(url, headers=headers, body=b"")
        try:
            body = await self._read_error_body(response)
        finally:
            response.close()  # does nothing where the body was read whole: that one is pooled
        if not 200 <= response.status < 300:
            raise error_of_response(
                response.status,
                headers=response.headers,
                body=body,
                secrets=_secrets_of(headers),
            )

    async def _send(
        self, url: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        """Return the response, its body unread.

        A server may close a pooled connection in the moment in which we write to
        it. Where the connection was a reused one, ended at once, and gave not one
        byte, the request is sent again; each turn takes a dead connection out of
        the pool, so this ends. It can't bill twice in practice: a provider that
        takes a request up and then fails needs longer, or says something first.
        """
        loop = asyncio.get_running_loop()
        while True:
            attempt = SimpleNamespace(is_reused=False)
            sent_at = loop.time()
            try:
                return await self._request(url, headers=headers, body=body, attempt=attempt)
            except (aiohttp.ClientError, TimeoutError) as error:
                is_prompt = loop.time() - sent_at < STALE_WITHIN_S
                if not (attempt.is_reused and is_prompt and _gave_nothing(error)):
                    raise _open_error(error, url) from _cause_without_keys(error)

    async def _request(
        self, url: str, *, headers: Mapping[str, str], body: bytes | None, attempt: SimpleNamespace
    ) -> aiohttp.ClientResponse:
        kind = {"Content-Type": "application/json"} if body else {}
        return await self._open_session().request(
            "GET" if body is None else "POST",
            URL(url, encoded=True),
            data=io.BytesIO(body) if body and len(body) > LARGE_BODY_BYTES else body,
            headers={
                "Accept": _EVENT_STREAM,
                "Accept-Encoding": "identity",
                "User-Agent": "tickertape",
                **kind,
                **headers,
            },
            allow_redirects=False,
            proxy=proxy_for(url),
            trace_request_ctx=attempt,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None:
            self._session, self._loop = self._make_session(), loop
        if self._loop is not loop:
            raise ConfigurationError(
                "this HttpTransport belongs to another event loop; "
                "make one in each loop, and close it there"
            )
        return self._session

    def _make_session(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        return aiohttp.ClientSession(
            # No limit on connections: how many runs there are is the engine's decision, and a
            # run that waits here for a connection would wait without anyone's deadline.
            connector=aiohttp.TCPConnector(
                limit=0, ssl=self._tls, keepalive_timeout=self._keepalive_timeout_s
            ),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout_s),
            # One user's answer must not set cookies for the next.
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=self._read_buffer_bytes,
            # trust_env would read ~/.netrc for each request, and fail where that has an entry
            # for the host and we send a key; `proxy_for` does the part that is wanted.
            trust_env=False,
            trace_configs=[trace],
        )

    async def _require_events(
        self, response: aiohttp.ClientResponse, *, secrets: tuple[str, ...]
    ) -> None:
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        is_ok = 200 <= response.status < 300
        if is_ok and (content_type == _EVENT_STREAM or content_type in _MAYBE_EVENTS):
            return
        raise error_of_response(
            response.status,
            headers=response.headers,
            body=await self._read_error_body(response),
            content_type=content_type,
            secrets=secrets,
        )

    async def _read_error_body(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the beginning of a refusal's body: what comes in time, and in bounds."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._error_body_timeout_s):
                while len(body) < ERROR_BODY_BYTES:
                    chunk = await response.content.readany()
                    if not chunk:
                        break
                    body += chunk
        except (aiohttp.ClientError, TimeoutError):
            pass  # the status says enough; the body is only detail
        return bytes(body[:ERROR_BODY_BYTES])


class ByteStream:
    """The body of one answer. Owned by one task; `close` may come from any in the loop."""

    __slots__ = ("_content", "_failure", "_lost", "_response", "headers", "is_closed", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._content = response.content
        self._failure: ProviderError | None = None
        self._lost = _loss_of(response)
        if self._lost is not None:
            self._lost.add_done_callback(self._fail_if_unfinished)
        self.is_closed = False
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers  # their case does not count

    async def read(self) -> bytes:
        """Return what has arrived, at least a byte; `b""` at the end of file, or once closed.

        A reset looks like an end of file where the body has neither length nor
        chunks; the translator misses the answer's end then.

        Raises:
            ProviderError: the connection broke (`truncated`). What had arrived
                before that is returned first.
        """
        if self.is_closed:
            return b""
        if self._failure is not None:
            raise self._failure
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # RuntimeError: aiohttp's word for reading from a connection that is gone.
            return self._what_is_left(error)

    def _fail_if_unfinished(self, _lost: asyncio.Future[None]) -> None:
        """Wake a reader that aiohttp forgets: one whose chunked body stops being well formed."""
        if not self._content.is_eof() and self._content.exception() is None:
            self._content.set_exception(aiohttp.ClientPayloadError("the body is not well formed"))

    def _what_is_left(self, error: Exception) -> bytes:
        if self.is_closed:
            return b""
        self._failure = _broken(error)
        # aiohttp lets an error overtake the bytes that came before it. They may hold the end
        # of the answer: some servers reset the connection right after it.
        rest: bytes = self._content._read_nowait(-1)  # noqa: SLF001
        if rest:
            return rest
        raise self._failure from error

    def close(self) -> None:
        """Close the connection at once, which makes the provider stop. Safe to repeat.

        A pending `read` returns `b""`. Where the answer was read to its end,
        the connection has gone back to the pool, and stays.
        """
        self.is_closed = True
        if self._lost is not None:
            self._lost.remove_done_callback(self._fail_if_unfinished)
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            # Not close(): under TLS that waits up to 30 s for the peer to say goodbye too.
            connection.transport.abort()
        if self._content.exception() is None:
            # Else aiohttp takes one error for all streams of the process, whose traceback then
            # grows by a frame with every stream that is closed, and keeps each of them for ever.
            self._content.set_exception(aiohttp.ClientConnectionError("closed"))
        self._response.close()


def _loss_of(response: aiohttp.ClientResponse) -> asyncio.Future[None] | None:
    """Return what is done when the response's connection is gone; None if it is no longer ours."""
    protocol = response.connection.protocol if response.connection is not None else None
    lost = protocol.closed if protocol is not None else None
    if lost is not None:
        # Once for each connection, however many answers it carries: an error in the future is
        # looked at, or asyncio would report that nobody did.
        lost.remove_done_callback(_look_at)
        lost.add_done_callback(_look_at)
    return lost


def _look_at(lost: asyncio.Future[None]) -> None:
    if not lost.cancelled():
        lost.exception()


def _tls_context(tls: ssl.SSLContext | str | None) -> ssl.SSLContext | bool:
    if tls is None:
        return True
    if isinstance(tls, ssl.SSLContext):
        return tls
    try:
        return ssl.create_default_context(cafile=tls)
    except OSError as error:
        raise ConfigurationError(f"the CA bundle {tls!r} can't be used: {error}") from error


async def _note_reuse(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceConnectionReuseconnParams,
) -> None:
    context.trace_request_ctx.is_reused = True


def _gave_nothing(error: BaseException) -> bool:
    match error:
        case aiohttp.ClientConnectorError():
            return False
        case aiohttp.ServerDisconnectedError():
            # The message is a response's head where a part of one had arrived.
            return isinstance(error.message, str)
        case aiohttp.ClientOSError():
            return True
        case _:
            return False


def _open_error(error: BaseException, url: str) -> Exception:
    """Return what became of an attempt to get a response, in our words."""
    is_retryable = True
    match error:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return ConfigurationError(f"not a URL that can be called: {without_userinfo(url)!r}")
        case aiohttp.ClientConnectorDNSError():
            message = "the provider's host name was not found; check its endpoint"
        case aiohttp.ClientConnectorCertificateError():
            is_retryable = False
            message = (
                "the provider's TLS certificate was not accepted; "
                "where it is a private endpoint, give its CA bundle"
            )
        case aiohttp.ClientSSLError():
            message = "no TLS connection to the provider came about"
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            message = "the proxy to the provider can't be used; check HTTPS_PROXY and NO_PROXY"
        case TimeoutError():  # aiohttp's own timeouts are these, too
            message = "no connection to the provider came about in time"
        case aiohttp.ClientConnectorError():
            message = "the provider refused the connection, or is not there; check its endpoint"
        case aiohttp.ClientResponseError():
            return ProviderError(
                "malformed",
                "the provider's answer is not HTTP; check its endpoint",
                detail=error.message[:DETAIL_CHARS],
                is_retryable=True,
            )
        case _:
            message = "the connection to the provider broke before it answered"
    detail = f"{without_userinfo(url)}: {type(error).__name__}: {error}"
    return ProviderError(
        "provider_unreachable", message, detail=detail[:DETAIL_CHARS], is_retryable=is_retryable
    )


def _cause_without_keys(error: BaseException) -> BaseException | None:
    """Return what to chain: a response error's `repr` shows the request's headers."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.__cause__
    return error


def _broken(error: BaseException) -> ProviderError:
    return ProviderError(
        "truncated",
        "the provider's connection broke before the answer was complete",
        detail=f"{type(error).__name__}: {error}"[:DETAIL_CHARS],
        is_retryable=True,
    )


def _secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        value.removeprefix("Bearer ")
        for name, value in headers.items()
        if name.lower() in {"authorization", "api-key"}
    )
