"""TLS with right and wrong certificates."""

import asyncio
import ssl
import sys

import pytest

from tests.testing.fault_server.raw_client import RawClient, split
from tickertape.core.errors import ConfigurationError
from tickertape.testing.fault_server import FaultServer


async def status_over_tls(server) -> bytes:
    context = ssl.create_default_context(cadata=server.authority_pem.decode())
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    client = RawClient(server, reader, writer)
    client.send("GET", "/v1/models", headers={"connection": "close"})
    head, _ = split(await client.read_to_end())
    await client.hang_up()
    return head.split(b"\r\n")[0]


async def test_a_good_certificate_is_trusted():
    """By who trusts its authority."""
    async with FaultServer(certificate="trusted") as server:
        assert server.url.startswith("https://")
        assert b"HTTP/1.1 200 OK" == await status_over_tls(server)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("untrusted", "unable to get local issuer certificate"),
        ("wrong_name", "IP address mismatch"),
        ("expired", "certificate has expired"),
    ],
)
async def test_a_wrong_certificate_is_refused_for_its_own_reason(kind, said):
    """And only for that."""
    async with FaultServer(certificate=kind) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match=said):
            await status_over_tls(server)


async def test_without_tls_there_is_no_authority():
    """The error says how to have one."""
    with pytest.raises(ConfigurationError, match='certificate="trusted"'):
        _ = FaultServer().authority_pem


def test_without_trustme_the_error_says_what_to_install(monkeypatch):
    """It is not part of the core install."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ConfigurationError, match="pip install trustme"):
        FaultServer(certificate="trusted")
