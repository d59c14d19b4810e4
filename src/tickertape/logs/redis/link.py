"""One connection to Redis: bytes out, replies in. The one file that imports redis-py and hiredis.

redis-py reads the URL, as its users know it, makes the TLS context, and knows which
slot a key is in. The replies are parsed by hiredis straight from the socket, and handed
on in the same pass of the event loop: redis-py's own commands would cost each append
several times as much.
Knows no script, and no channel.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from tickertape.core.errors import ConfigurationError, MissingExtra
from tickertape.logs.redis.port import PortLost, PortRefused

try:
    import hiredis
    from redis.asyncio.connection import RedisSSLContext, UnixDomainSocketConnection, parse_url
    from redis.crc import key_slot as slot_of
except ImportError as error:
    raise MissingExtra("redis", needed_for="a log in Redis") from error

RedisError: Final = hiredis.ReplyError
"""A reply that is an error; its text begins with the code."""

Command: TypeAlias = tuple[bytes | str | int, ...]
pack: Final = cast("Callable[[Command], bytes]", hiredis.pack_command)
key_slot: Final = cast("Callable[[bytes], int]", slot_of)
"""Which of a cluster's slots a key is in, by the name or by what is in braces in it."""

_TLS_DEFAULTS: Final[dict[str, Any]] = {"cert_reqs": "required", "check_hostname": True}


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is, and who we are there."""

    place: str
    """For errors: no password in it."""
    host: str
    port: int
    path: str | None
    tls: ssl.SSLContext | None
    greeting: tuple[Command, ...]
    """What must be said first: signing in, and which database."""


def read_url(url: str) -> Address:
    """Return the address that a `redis://`, `rediss://` or `unix://` URL names.

    Raises:
        ConfigurationError: it names none; the text has no password in it.
    """
    form = "write it as redis://[user:password@]host[:port][/database]"
    try:
        # The path is checked here, since redis-py passes over one that is no number.
        options: dict[str, Any] = dict(parse_url(url))
        is_unix = options.pop("connection_class", None) is UnixDomainSocketConnection
        scheme, _, rest = url.partition("://")
        path = options.pop("path", None)
        folder = rest.partition("?")[0].rpartition("@")[2].partition("/")[2]
        if not is_unix and folder.strip("/"):
            options["db"] = int(folder.strip("/"))
        if is_unix and path is None:
            raise ValueError("it names no socket")
    except ValueError as error:
        # Its text may quote the URL, and so the password.
        reason = "" if "@" in url else f" ({error})"
        raise ConfigurationError(f"the URL of Redis can't be read{reason}: {form}") from None
    username, password = options.pop("username", None), options.pop("password", None)
    host, port = options.pop("host", "localhost"), options.pop("port", 6379)
    database = options.pop("db", 0)
    place = f"unix://{path}" if is_unix else f"{scheme}://{host}:{port}/{database}"
    greeting: list[Command] = []
    if password is not None:
        greeting.append(("AUTH", username, password) if username else ("AUTH", password))
    if database:
        greeting.append(("SELECT", database))
    tls = _tls(options, place) if scheme == "rediss" else None
    if options:
        raise ConfigurationError(
            f"the URL of Redis at {place} has an option {min(options)!r} that is not known here: "
            "take it out"
        )
    return Address(place, host, port, path, tls, tuple(greeting))


def _tls(options: dict[str, Any], place: str) -> ssl.SSLContext:
    named = {name for name in options if name.startswith("ssl_")}
    given: dict[str, Any] = {name.removeprefix("ssl_"): options.pop(name) for name in named}
    try:
        return RedisSSLContext(**(_TLS_DEFAULTS | given)).get()
    except Exception as error:  # redis-py's own, the file system's, and ssl's
        raise ConfigurationError(
            f"the ssl_… options for Redis at {place} can't be used: {error}"
        ) from error


class Link(asyncio.Protocol):
    """An open connection. Calls `heard` with each reply, and `ended` once, with the cause."""

    def __init__(self, heard: Callable[[Any], None], ended: Callable[[str], None]) -> None:
        self._heard = heard
        self._ended = ended
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._cause = ""
        self._gone = asyncio.Event()

    @classmethod
    async def connect(
        cls,
        address: Address,
        *,
        heard: Callable[[Any], None],
        ended: Callable[[str], None],
        timeout_s: float,
    ) -> Link:
        """Connect and sign in.

        Raises:
            PortLost: nobody answers, or not in time. PortRefused: the sign-in was refused.
        """
        loop = asyncio.get_running_loop()
        replies: asyncio.Queue[Any] = asyncio.Queue()
        link = cls(replies.put_nowait, lambda cause: replies.put_nowait(PortLost(cause)))
        try:
            async with asyncio.timeout(timeout_s):
                if address.path is not None:
                    await loop.create_unix_connection(lambda: link, address.path)
                else:
                    await loop.create_connection(
                        lambda: link, address.host, address.port, ssl=address.tls
                    )
                link.send(b"".join(map(pack, address.greeting)))
                for _ in address.greeting:
                    reply = await replies.get()
                    if isinstance(reply, PortLost):
                        raise PortLost(f"{address.place} hung up: {reply}")
                    if isinstance(reply, RedisError):
                        raise refused(reply)
        except TimeoutError:
            await link.hang_up()
            raise PortLost(f"{address.place} did not answer within {timeout_s:g} s") from None
        except (OSError, UnicodeError) as error:  # the latter from a host that is no name
            raise PortLost(f"{address.place} can't be reached: {error}") from error
        except BaseException:
            await link.hang_up()
            raise
        link._heard = heard
        link._ended = ended
        return link

    def send(self, packed: bytes) -> None:
        """Write, without waiting."""
        assert self._transport is not None
        self._transport.write(packed)

    def abort(self, cause: str) -> None:
        """Hang up; `ended` gets this cause. Safe to repeat."""
        self._cause = self._cause or cause
        if self._transport is not None:
            self._transport.abort()

    async def hang_up(self, cause: str = "we hung up") -> None:
        """Do the same, and return when the socket is closed."""
        self.abort(cause)
        if self._transport is not None:
            await self._gone.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio calls this."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand on the replies that are whole now; asyncio calls this."""
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                self._heard(reply)
        except hiredis.ProtocolError as error:
            self.abort(f"it does not speak Redis's protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that it is over; asyncio calls this."""
        self._gone.set()
        self._ended(self._cause or (str(exc) if exc else "the connection was closed"))


def refused(error: Exception) -> PortRefused:
    """Return Redis's error as the port gives it."""
    text = str(error)
    if text.startswith("ERR The user executing the script can't"):
        return PortRefused("NOPERM", text)  # which is what it says outside of scripts
    return PortRefused(text.partition(" ")[0].rstrip(":"), text)
