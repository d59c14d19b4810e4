"""Lent catalogs: shared where somebody can close them, owned everywhere else."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tickertape.client import catalogs
from tickertape.client.catalogs import BackgroundCatalog, SharedCatalog, lend, lend_own
from tickertape.engine.background import BackgroundLoop


class NotedCatalog:
    """A catalog that says when it is closed."""

    made: ClassVar[list[NotedCatalog]] = []

    def __init__(self, environ, transport):
        self.environ = environ
        self.transport = transport
        self.is_closed = False
        self.made.append(self)

    @classmethod
    def from_environment(cls, environ, *, transport=None, allow_local_paths=False):
        assert allow_local_paths
        return cls(dict(environ), transport)

    async def close(self):
        self.is_closed = True


@pytest.fixture
def made(monkeypatch):
    """Catalogs in the order in which they were made."""
    monkeypatch.setattr(NotedCatalog, "made", [])
    monkeypatch.setattr(catalogs, "Catalog", NotedCatalog)
    return NotedCatalog.made


async def test_an_own_catalog_is_closed_after_its_use(made):
    """Also when the use fails."""

    async def use():
        async with lend_own():
            assert not made[0].is_closed
            raise LookupError

    with pytest.raises(LookupError):
        await use()
    assert made[0].is_closed


async def test_a_callers_catalog_stays_open(made):
    """It is not ours to close."""
    catalog: Any = NotedCatalog({}, None)
    async with lend(catalog)() as lent:
        assert lent is catalog
    assert [False] == [catalog.is_closed for catalog in made]


async def test_a_shared_catalog_is_made_once(made):
    """As long as the environment stays the same."""
    shared = SharedCatalog()
    async with shared.lend() as first, shared.lend() as second:
        assert first is second
    async with shared.lend() as third:
        assert third is first
    assert [False] == [catalog.is_closed for catalog in made]
    await shared.close()
    assert [True] == [catalog.is_closed for catalog in made]


async def test_a_replaced_catalog_closes_when_nobody_uses_it(made, monkeypatch):
    """Not under those who still read from it."""
    shared = SharedCatalog()
    async with shared.lend():
        monkeypatch.setenv("TICKERTAPE_MODEL", "other")
        async with shared.lend():
            assert [False, False] == [catalog.is_closed for catalog in made]
        assert [False, False] == [catalog.is_closed for catalog in made]
    assert [True, False] == [catalog.is_closed for catalog in made]
    assert made[0].transport is made[1].transport is not None
    await shared.close()


async def test_a_replaced_catalog_that_nobody_uses_closes_at_once(made, monkeypatch):
    """It may hold a model in memory."""
    shared = SharedCatalog()
    async with shared.lend():
        pass
    monkeypatch.setenv("TICKERTAPE_MODEL", "other")
    async with shared.lend():
        assert [True, False] == [catalog.is_closed for catalog in made]
    await shared.close()


def test_the_background_loop_closes_its_catalog_when_it_stops(made):
    """The next loop gets another."""
    lender = BackgroundCatalog()

    async def use():
        async with lender.lend():
            pass

    loop = BackgroundLoop()
    loop.call(use())
    loop.call(use())
    assert [False] == [catalog.is_closed for catalog in made]
    loop.stop()
    assert [True] == [catalog.is_closed for catalog in made]
    loop.call(use())
    assert [True, False] == [catalog.is_closed for catalog in made]
    loop.stop()
