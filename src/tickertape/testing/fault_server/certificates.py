"""Certificates for a fault server: a good one, and the wrong ones.

The one module that imports trustme.
"""

from __future__ import annotations

import datetime as dt
import ssl
from typing import Literal, TypeAlias, assert_never

from msgspec import Struct

from tickertape.core.errors import ConfigurationError

CertificateKind: TypeAlias = Literal[
    "trusted",  # right, for clients that trust the server's authority
    "untrusted",  # from an authority that nobody trusts
    "wrong_name",  # for another host
    "expired",
]

_LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
_A_YEAR = dt.timedelta(days=365)


class Certificate(Struct, frozen=True):
    """What a server needs to speak TLS, and its clients to trust it."""

    context: ssl.SSLContext
    authority_pem: bytes
    """The certificate of the authority that clients are meant to trust."""


def issue(kind: CertificateKind, *, host: str) -> Certificate:
    """Make a certificate of this kind.

    Raises:
        ConfigurationError: trustme is not installed.
    """
    try:
        import trustme
    except ImportError as error:
        raise ConfigurationError(
            "a fault server with TLS makes its certificates with trustme: pip install trustme"
        ) from error
    authority = trustme.CA()
    match kind:
        case "trusted":
            leaf = authority.issue_cert(host, "localhost")
        case "untrusted":
            leaf = trustme.CA().issue_cert(host, "localhost")
        case "wrong_name":
            leaf = authority.issue_cert("wrong-name.invalid")
        case "expired":
            leaf = authority.issue_cert(
                host, "localhost", not_before=_LONG_AGO, not_after=_LONG_AGO + _A_YEAR
            )
        case _:
            assert_never(kind)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    return Certificate(context, authority.cert_pem.bytes())
