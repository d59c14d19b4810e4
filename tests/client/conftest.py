"""Parts that the client's tests share."""

from __future__ import annotations

import pytest

from tickertape.providers.catalog import Catalog
from tickertape.testing.fault_server import FaultServer
from tickertape.testing.scripted import ScriptedProvider

CONFIGURATION = ("AZURE_", "OPENAI_", "TICKERTAPE_")


@pytest.fixture
def provider():
    return ScriptedProvider()


@pytest.fixture
def catalog(provider):
    """A catalog whose only model is the scripted one."""
    return Catalog({"scripted": provider}, default="scripted", default_models={"scripted": "m"})


@pytest.fixture
def unconfigured(monkeypatch):
    """An environment that configures no provider."""
    import os

    for name in [name for name in os.environ if name.startswith(CONFIGURATION)]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def fault_server(unconfigured):
    """A fault server that the environment names as OpenAI, with the model `m`."""
    with FaultServer.in_thread() as server:
        for name, value in server.openai_environment.items():
            unconfigured.setenv(name, value)
        unconfigured.setenv("TICKERTAPE_MODEL", "m")
        yield server
