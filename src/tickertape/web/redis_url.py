"""A Redis log's place, as one URL: `redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=KEYS`.

Knows how such a URL is written, what may be said of it aloud, and what is wrong
with it. Opens nothing, and imports no client.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from msgspec import Struct

from tickertape.core.errors import ConfigurationError

SCHEMES: Final = ("redis", "rediss", "unix")
FORMS: Final = (
    "redis://HOST:PORT/DATABASE, rediss://… for TLS, or unix:///PATH?db=DATABASE; "
    "before the host USER:PASSWORD@, after the database ?prefix=KEYS:"
)
PREFIX: Final = "tickertape:"

_DEFAULT_PORT: Final = 6379
_MASK: Final = "***"


class RedisUrl(Struct, frozen=True):
    """Where a Redis log is. The URL may hold a password; `place` never does."""

    url: str
    """For the client: what is the log's own is taken out."""
    prefix: str
    """What the names of all its keys begin with."""
    place: str
    """Host, port and database, for people."""


def parse_redis_url(setting: str) -> RedisUrl:
    """Return what the URL says.

    Raises:
        ConfigurationError: it says nothing that can be connected to. The message
            holds the URL, its credentials masked, and the forms there are.
    """
    try:
        parts = urlsplit(setting)
    except ValueError as error:
        raise _wrong(setting, "is no URL") from error
    if parts.scheme not in SCHEMES or not setting.startswith(f"{parts.scheme}://"):
        raise _wrong(setting, f"must begin with {', '.join(f'{name}://' for name in SCHEMES)}")
    if parts.fragment:
        raise _wrong(setting, "has a '#': write it as %23")
    query = _query(setting, parts)
    prefix = query.pop("prefix", PREFIX)
    if parts.scheme == "unix":
        place = _socket(setting, parts, query)
    else:
        place = f"{_host(setting, parts)}, database {_database(setting, parts.path[1:])}"
    # Not `geturl`, which writes a socket's URL with one slash.
    url = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return RedisUrl(f"{url}?{urlencode(query)}" if query else url, prefix, place)


def mask(setting: str) -> str:
    """Return the setting with everything replaced that may be a user's name or a password."""
    scheme, colon, rest = setting.partition(":")
    slashes = "//" if rest.startswith("//") else ""
    rest = rest.removeprefix("//")
    if "@" in rest:
        # The last one: a password that should have been percent-encoded may hold others.
        rest = f"{_MASK}@{rest.rpartition('@')[2]}"
    # Without an @, what stands where the port does may be a password.
    rest = re.sub(r"^((?:\[[^]]*\]|[^/?#:[]*):)(?!\d*(?:[/?#]|$))[^/?#]*", rf"\1{_MASK}", rest)
    rest = re.sub(r"((?:user|pass)\w*=)[^&]*", rf"\1{_MASK}", rest)
    return f"{scheme}{colon}{slashes}{rest}"


def _wrong(setting: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"the log {mask(setting)!r} {what}; use {FORMS}")


def _query(setting: str, parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(pairs)
    for name, value in pairs:
        # How TLS is checked is the operator's to say, in the client's own words.
        is_tls = parts.scheme == "rediss" and name.startswith("ssl_")
        if name != "prefix" and not is_tls and (parts.scheme, name) != ("unix", "db"):
            raise _wrong(setting, f"has an unknown parameter {name!r}")
        if not value:
            raise _wrong(setting, f"says nothing for its parameter {name!r}")
    if set("{}") & set(query.get("prefix", "")):
        raise _wrong(setting, "has a brace in its prefix, which Redis would take for a hash tag")
    return query


def _host(setting: str, parts: SplitResult) -> str:
    try:
        port = parts.port
    except ValueError as error:
        raise _wrong(setting, "must have a number from 1 to 65535 as its port") from error
    if port == 0:
        raise _wrong(setting, "must have a number from 1 to 65535 as its port")
    if not parts.hostname:
        raise _wrong(setting, "names no host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port or _DEFAULT_PORT}"


def _socket(setting: str, parts: SplitResult, query: dict[str, str]) -> str:
    if not parts.path.strip("/"):
        raise _wrong(setting, "names no socket")
    return f"{unquote(parts.path)}, database {_database(setting, query.get('db', ''))}"


def _database(setting: str, text: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise _wrong(setting, "must have a number as its database")
    return int(text or "0")
