"""Where a provider is: its URL, and the proxy on the way there.

Asks nobody: names are not looked up, and of the environment only the proxies
are read, when they are needed.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from urllib.request import (  # type: ignore[attr-defined]  # typeshed leaves the second one out
    getproxies_environment,
    proxy_bypass_environment,
)

from tickertape.core.errors import ConfigurationError


def base_url(url: str, *, named: str) -> str:
    """Return the URL without a slash at its end.

    Raises:
        ConfigurationError: not a plain http(s) URL; the message calls it `named`.
    """
    url = url.strip().rstrip("/")
    if not _is_plain(url):
        raise ConfigurationError(
            f"{named} must be a URL like https://host/path, without a query or a password, "
            f"not {without_userinfo(url)!r}"
        )
    return url


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # not a port, or half an IPv6 address
        return False
    has_extras = parts.query or parts.fragment or parts.username is not None
    return parts.scheme in {"http", "https"} and has_host and not has_extras


def without_userinfo(url: str) -> str:
    """Return the URL without a user's name and password, for people to read."""
    scheme, separator, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def is_loopback(host: str) -> bool:
    """Tell whether the host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a URL; never one for this machine.

    Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case.

    Raises:
        ConfigurationError: a kind of proxy that can't be used (SOCKS).
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies_environment()
    proxy: str | None = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None or is_loopback(host) or proxy_bypass_environment(host, proxies):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if urlsplit(proxy).scheme not in {"http", "https"}:
        raise ConfigurationError(
            f"the environment names the proxy {without_userinfo(proxy)}, and only http and https "
            f"proxies can be used; set HTTPS_PROXY to one, or add {host} to NO_PROXY"
        )
    return proxy
