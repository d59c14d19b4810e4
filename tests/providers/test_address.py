"""Where a provider is, and the proxy on the way there."""

from __future__ import annotations

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.providers.address import base_url, is_loopback, proxy_for, without_userinfo

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_base_url_loses_its_last_slash():
    """Paths are appended with a slash of their own."""
    assert base_url(" https://host:8443/v1/ ", named="X") == "https://host:8443/v1"


@pytest.mark.parametrize(
    "url",
    ["", "host/v1", "ftp://host", "https://", "https://host?a=b", "https://host#a", "http://h:x"],
)
def test_what_is_no_base_url_is_refused_by_its_name(url):
    """The message names the setting and shows the value."""
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
        base_url(url, named="OPENAI_BASE_URL")


def test_p10_a_password_in_a_url_is_refused_and_not_shown():
    """Keys have settings of their own, so a URL may be shown."""
    with pytest.raises(ConfigurationError) as caught:
        base_url("https://me:secret@host/v1", named="X")
    assert "secret" not in str(caught.value)
    assert without_userinfo("https://me:secret@host/a@b") == "https://host/a@b"


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machine_is_known_by_its_names(host):
    """Loopback is recognised without asking a name server."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com", ""])
def test_another_machine_is_not_this_one(host):
    """A private address is not loopback."""
    assert not is_loopback(host)


def test_the_scheme_chooses_the_proxy(monkeypatch):
    """`HTTPS_PROXY` is for https, `ALL_PROXY` for what has none of its own."""
    monkeypatch.setenv("HTTPS_PROXY", "http://secure:1")
    monkeypatch.setenv("ALL_PROXY", "any:2")
    assert proxy_for("https://example.com/v1") == "http://secure:1"
    assert proxy_for("http://example.com/v1") == "http://any:2"


def test_some_hosts_are_called_directly(monkeypatch):
    """`NO_PROXY`, and this machine whatever it says."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("NO_PROXY", "corp.example")
    assert proxy_for("https://llm.corp.example/v1") is None
    assert proxy_for("https://127.0.0.1:9/v1") is None
    assert proxy_for("https://[::1]:9/v1") is None
    assert proxy_for("https://example.com/v1") == "http://proxy:1"


def test_a_socks_proxy_is_told_with_a_way_out(monkeypatch):
    """Going around it silently would break a rule of somebody's network."""
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@proxy:1080")
    with pytest.raises(ConfigurationError, match="NO_PROXY") as caught:
        proxy_for("https://example.com")
    assert "secret" not in str(caught.value)
