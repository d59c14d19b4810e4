"""What goes out with the page's files, and what is said where there are none."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tickertape.web import asgi
from tickertape.web.page_files import is_page_built, page_headers


def test_only_what_never_changes_is_kept():
    """A hash in the name stands for the content; the page itself is asked for each time."""
    assert "public, max-age=31536000, immutable" == page_headers("assets/a.js")["cache-control"]
    assert "no-cache" == page_headers("index.html")["cache-control"]


@pytest.mark.parametrize("path", ["index.html", "assets/a.js"])
def test_nothing_inline_and_nothing_from_elsewhere(path):
    """Neither scripts nor styles may be inline, and every request stays on this server."""
    policy = page_headers(path)["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


def serve(folder: Path) -> TestClient:
    """Return a client of an application whose page is in this folder."""
    return TestClient(
        asgi.create_app(lambda: contextlib.nullcontext(None), page_folder=folder)  # type: ignore[arg-type]
    )


def test_the_page_is_served_where_it_is_built(tmp_path):
    """The folder's index is the root; each file has its headers."""
    (tmp_path / "index.html").write_text("<p>page")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a-1.js").write_text("1")
    assert is_page_built(tmp_path)
    client = serve(tmp_path)
    page = client.get("/")
    assert ("<p>page", "no-cache") == (page.text, page.headers["cache-control"])
    script = client.get("/assets/a-1.js")
    assert "immutable" in script.headers["cache-control"]
    assert "script-src 'self'" in script.headers["content-security-policy"]
    assert 404 == client.get("/nowhere").status_code


def test_a_checkout_without_the_page_says_how_to_build_it(tmp_path):
    """In the browser, too; the rest of the server works without it."""
    assert not is_page_built(tmp_path)
    answer = serve(tmp_path).get("/")
    assert 503 == answer.status_code
    assert "make page" in answer.json()["error"]["message"]
