"""The router in an application of one's own: two lines, and a true OpenAPI page."""

from __future__ import annotations

import contextlib

import aiohttp
import pytest
from fastapi import FastAPI

from tests.web.conftest import serving
from tickertape.web.fastapi import chat_router


@pytest.fixture
def openapi():
    app = FastAPI()
    app.include_router(chat_router(), prefix="/v1")
    return app.openapi()


def test_the_routes_are_in_the_openapi_document(openapi):
    """Under the application's own prefix."""
    assert {
        "/v1/chat/stream": {"post"},
        "/v1/chat/stream/{run_id}": {"get", "delete"},
        "/v1/models": {"get"},
        "/v1/healthz": {"get"},
        "/v1/readyz": {"get"},
    } == {path: set(methods) for path, methods in openapi["paths"].items()}


def test_the_request_body_is_described_without_dangling_references(openapi):
    """Every field of a request, inline."""
    start = openapi["paths"]["/v1/chat/stream"]["post"]
    schema = start["requestBody"]["content"]["application/json"]["schema"]
    assert ["messages"] == schema["required"]
    assert {"role", "content"} <= set(schema["properties"]["messages"]["items"]["properties"])
    assert "integer" == schema["properties"]["max_tokens"]["type"]
    assert "$ref" not in str(schema)


def test_headers_and_cursors_are_described(openapi):
    """What a client may send is on the page."""
    names = {
        parameter["name"].lower()
        for methods in openapi["paths"].values()
        for method in methods.values()
        for parameter in method.get("parameters", [])
    }
    assert {"run_id", "after", "last-event-id", "idempotency-key", "prefer"} <= names


async def test_two_lines_mount_it_and_the_environment_configures_it(monkeypatch):
    """Opened with the application and closed with it; its own lifespan still runs."""
    for name in ("AZURE_OPENAI_ENDPOINT", "OPENAI_API_KEY", "TICKERTAPE_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    lived = []

    @contextlib.asynccontextmanager
    async def lifespan(app):
        lived.append("up")
        yield
        lived.append("down")

    app = FastAPI(lifespan=lifespan)
    app.include_router(chat_router())
    async with serving(app) as url, aiohttp.ClientSession() as session:
        body = {"messages": [{"role": "user", "content": "Hi"}], "model": "openai/m"}
        async with session.post(f"{url}/chat/stream", json=body) as response:
            assert b'"code":"provider_unreachable"' in await response.read()
    assert ["up", "down"] == lived
