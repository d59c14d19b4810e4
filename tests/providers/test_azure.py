"""Azure OpenAI: URLs, signing in, and what its refusals say."""

from __future__ import annotations

import asyncio
import sys
import threading
from types import SimpleNamespace

import pytest

from tests.providers.scripted_server import (
    CHUNKED_HEAD,
    LAST_CHUNK,
    ScriptedServer,
    answer,
    response,
)
from tickertape.core.errors import ConfigurationError, InvalidRequest, MissingExtra, ProviderError
from tickertape.core.request import ChatRequest, CompletionRequest, Message
from tickertape.providers.azure import AzureProvider, EntraSignIn
from tickertape.providers.http import HttpTransport
from tickertape.testing.fault_server import Faults, FaultServer, Reset, Stall

REQUEST = ChatRequest(messages=[Message(role="user", content="Hello")], model="gpt 4/o")
EMPTY_ANSWER = answer(CHUNKED_HEAD + LAST_CHUNK)
CLASSIC = "/openai/deployments/gpt%204%2Fo/chat/completions?api-version=2024-10-21"
V1 = "/openai/v1/chat/completions"


@pytest.fixture
async def transport():
    async with HttpTransport() as transport:
        yield transport


async def request_of(transport, *, path="", request=REQUEST, **settings):
    """Return the request that a provider with these settings sends."""
    async with ScriptedServer(EMPTY_ANSWER) as server:
        provider = AzureProvider(transport, endpoint=server.url + path, **settings)
        (await provider.open(request)).close()
        await provider.close()
        return server.requests[0]


@pytest.mark.parametrize(
    ("path", "api_version", "expected"),
    [
        ("", "2024-10-21", CLASSIC),
        ("/", "2024-10-21", CLASSIC),
        ("/openai", "2024-10-21", CLASSIC),
        ("/openai/", "2024-10-21", CLASSIC),
        ("/gateway", "2024-10-21", f"/gateway{CLASSIC}"),
        ("", None, V1),
        ("", "", V1),
        ("", "v1", V1),
        ("", "latest", V1),
        ("", "preview", f"{V1}?api-version=preview"),
        ("/openai", None, V1),
        ("/openai/v1/", None, V1),
        ("/openai/v1", "2024-10-21", V1),
    ],
)
async def test_the_version_and_the_endpoint_choose_the_url(transport, path, api_version, expected):
    """A date means the classic URL; no date, or an endpoint that says v1, the v1 URL."""
    request = await request_of(transport, path=path, api_version=api_version, api_key="k")
    assert request.line == f"POST {expected} HTTP/1.1"
    assert request.json["model"] == "gpt 4/o"


COMPLETION = CompletionRequest(prompt="Once", model="gpt 4/o")
DEPLOYMENT = "/openai/deployments/gpt%204%2Fo"


@pytest.mark.parametrize(
    ("request_", "api", "api_version", "expected"),
    [
        (
            REQUEST,
            "responses",
            "2025-04-01-preview",
            "/openai/responses?api-version=2025-04-01-preview",
        ),
        (REQUEST, "responses", None, "/openai/v1/responses"),
        (REQUEST, "responses", "preview", "/openai/v1/responses?api-version=preview"),
        (COMPLETION, "responses", "2024-10-21", f"{DEPLOYMENT}/completions?api-version=2024-10-21"),
        (COMPLETION, "chat_completions", None, "/openai/v1/completions"),
    ],
)
async def test_each_api_has_its_url(transport, request_, api, api_version, expected):
    """Only the classic URL of the Responses API has no deployment in it."""
    request = await request_of(
        transport, request=request_, api=api, api_version=api_version, api_key="k"
    )
    assert request.line == f"POST {expected} HTTP/1.1"
    assert request.json["model"] == "gpt 4/o"


@pytest.mark.parametrize(
    ("api_version", "base", "query"),
    [
        (None, "/openai/v1/responses", {}),
        ("2025-04-01-preview", "/openai/responses", {"api-version": "2025-04-01-preview"}),
    ],
)
async def test_a_background_response_goes_on_and_is_cancelled_below_its_url(
    transport, api_version, base, query
):
    """Where it was started, there it is read again, and stopped; each time signed."""
    faults = [Faults(failure=Reset(after_bytes=2_000)), Faults(failure=Stall(after_chunks=2))]
    async with FaultServer(*faults) as server:
        provider = AzureProvider(
            transport,
            endpoint=server.azure_endpoint,
            api_key=server.api_key,
            api_version=api_version,
            api="responses",
            background=True,
        )
        stream = await provider.open(REQUEST)
        while len(server.requests) < 2:
            stream.translator.feed(await stream.read())
        stream.close()
        await provider.close()
        started, again, cancel = server.requests
        assert [("POST", base), query] == [(started.method, started.path), started.query]
        number = again.query["starting_after"]
        assert {**query, "stream": "true", "starting_after": number} == again.query
        assert ("GET", f"{base}/resp_00000001") == (again.method, again.path)
        assert ("POST", f"{base}/resp_00000001/cancel") == (cancel.method, cancel.path)
        assert query == cancel.query
        assert [200, 200, 200] == [each.status for each in server.exchanges]


async def test_a_key_is_sent_in_azures_own_header(transport):
    """A key goes into `api-key`, and nowhere else."""
    request = await request_of(transport, api_key="k-1\n")
    assert request.headers["api-key"] == "k-1"
    assert "authorization" not in request.headers


async def test_a_token_comes_before_a_key(transport):
    """A ready-made token is a bearer token, and is preferred, as in Azure's own SDK."""
    request = await request_of(transport, api_key="k-1", token="t-1")
    assert request.headers["authorization"] == "Bearer t-1"
    assert "api-key" not in request.headers


class Credential:
    """Grants numbered tokens that live for an hour."""

    def __init__(self, now):
        self.now = now
        self.asked = []
        self.threads = []

    def get_token(self, *scopes):
        self.asked.append(scopes)
        self.threads.append(threading.current_thread())
        return SimpleNamespace(token=f"t-{len(self.asked)}", expires_on=self.now() + 3600)


class AsyncCredential(Credential):
    async def get_token(self, *scopes):
        return super().get_token(*scopes)


class Clock:
    now_s = 1_000_000.0

    def __call__(self):
        return self.now_s


async def test_a_credential_signs_in_for_the_scope(transport):
    """Anything with `get_token` will do; it is asked for the scope, off the event loop."""
    clock = Clock()
    credential = Credential(clock)
    request = await request_of(
        transport, credential=credential, scope="https://x/.default", api_key="k", now=clock
    )
    assert request.headers["authorization"] == "Bearer t-1"
    assert "api-key" not in request.headers
    assert [("https://x/.default",)] == credential.asked
    assert credential.threads != [threading.current_thread()]


@pytest.mark.parametrize("kind", [Credential, AsyncCredential])
async def test_a_token_is_kept_until_shortly_before_it_expires(kind):
    """One token serves until five minutes before its end; then there is a new one."""
    clock = Clock()
    credential = kind(clock)
    sign_in = EntraSignIn(credential, now=clock)
    seen = []
    for after_s in (0, 3299, 1):
        clock.now_s += after_s
        seen.append((await sign_in.headers())["Authorization"])
    assert seen == ["Bearer t-1", "Bearer t-1", "Bearer t-2"]
    assert credential.asked[0] == ("https://ai.azure.com/.default",)


async def test_many_requests_sign_in_once():
    """Requests that come together wait for one token."""
    clock = Clock()
    credential = Credential(clock)
    sign_in = EntraSignIn(credential, now=clock)
    headers = await asyncio.gather(*(sign_in.headers() for _ in range(10)))
    assert [{"Authorization": "Bearer t-1"}] * 10 == headers
    assert len(credential.asked) == 1


async def test_p10_a_failed_sign_in_says_what_to_do(transport):
    """The credential's own words are for operators."""

    class Refuses:
        def get_token(self, *scopes):
            raise RuntimeError("tenant Contoso says no")

    with pytest.raises(ProviderError, match="az login") as caught:
        await request_of(transport, credential=Refuses())
    assert caught.value.code == "provider_rejected"
    assert "Contoso" not in str(caught.value)
    assert "Contoso" in caught.value.detail


async def test_without_a_key_azure_identity_signs_in(transport, monkeypatch):
    """`DefaultAzureCredential` is made when it is first needed, and closed at the end."""
    import azure.identity

    clock = Clock()
    made = []

    class Default(Credential):
        is_closed = False

        def __init__(self):
            super().__init__(clock)
            made.append(self)

        def close(self):
            self.is_closed = True

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Default)
    request = await request_of(transport, now=clock)
    assert request.headers["authorization"] == "Bearer t-1"
    assert [True] == [each.is_closed for each in made]


@pytest.mark.parametrize("missing", ["azure", "azure.identity"])
async def test_without_azure_identity_the_error_says_what_to_install(
    transport, monkeypatch, missing
):
    """The missing extra is named before any request."""
    for name in [name for name in sys.modules if name == "azure" or name.startswith("azure.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", _without(missing))
    with pytest.raises(MissingExtra, match=r"tickertape\[azure\]"):
        AzureProvider(transport, endpoint="https://me.openai.azure.com")


def _without(missing):
    def find_spec(name: str) -> object:
        if missing == "azure":
            raise ModuleNotFoundError(name)
        return None

    return find_spec


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("401 Unauthorized", "AZURE_OPENAI_ENDPOINT"),
        ("404 Not Found", "no deployment 'gpt 4/o'"),
        ("403 Forbidden", "key's rights"),
    ],
)
async def test_a_refusal_says_what_to_check(transport, status, words):
    """The message names the deployment that was asked for, or the variables to look at."""
    body = b'{"error":{"code":"DeploymentNotFound","message":"theirs"}}'
    async with ScriptedServer(answer(response(status, body))) as server:
        provider = AzureProvider(transport, endpoint=server.url, api_key="k")
        with pytest.raises(ProviderError, match=words) as caught:
            await provider.open(REQUEST)
    assert caught.value.code == "provider_rejected"
    assert caught.value.status == int(status[:3])
    assert "theirs" in caught.value.detail


async def test_a_request_without_a_deployment_is_refused(transport):
    """Nothing is sent where no deployment is named."""
    provider = AzureProvider(transport, endpoint="https://me.openai.azure.com", api_key="k")
    with pytest.raises(InvalidRequest) as caught:
        await provider.open(ChatRequest(messages=REQUEST.messages))
    assert caught.value.param == "model"


def test_an_endpoint_that_is_no_url_is_told_by_its_variable():
    """A resource's bare name is a common mistake."""
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_ENDPOINT"):
        AzureProvider(HttpTransport(), endpoint="my-resource", api_key="k")


def test_p10_the_description_shows_no_key():
    """The start-up line says how it signs in, and with what kind of URL."""
    endpoint = "https://me.openai.azure.com/"
    by_key = AzureProvider(HttpTransport(), endpoint=endpoint, api_key="secret")
    by_token = AzureProvider(
        HttpTransport(), endpoint=endpoint, token="secret", api_version="2024-10-21"
    )
    assert by_key.describe() == "azure: https://me.openai.azure.com, API v1, with a key"
    assert by_token.describe() == "azure: https://me.openai.azure.com, API 2024-10-21, with a token"
