"""What the server answers to requests that are wrong, and how faults are chosen."""

import json

import pytest

from tests.testing.fault_server.raw_client import answer, call, events, split, text_of
from tickertape.testing.fault_server import (
    Answer,
    Faults,
    FaultServer,
    Rejection,
    Scenario,
    StreamError,
    Turn,
)

CLASSIC = "/openai/deployments/d/chat/completions"
BODY = b'{"model":"m","messages":[]}'
VERSION = "?api-version=2024-10-21"


@pytest.fixture
async def server():
    async with FaultServer(Answer(text="Hi")) as running:
        yield running


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "", "api-key": "wrong"},
        {"authorization": ""},
    ],
)
async def test_azure_refuses_a_wrong_key(server, headers):
    """With its own words and code, as a string."""
    status, body = await call(server, "POST", CLASSIC + VERSION, headers=headers, body=BODY)
    assert (401, "401") == (status, body["error"]["code"])
    assert body["error"]["message"].startswith("Access denied due to invalid subscription key")


async def test_openai_refuses_a_wrong_key(server):
    """It knows no `api-key` header."""
    headers = {"authorization": "", "api-key": server.api_key}
    status, body = await call(server, "POST", "/v1/chat/completions", headers=headers, body=BODY)
    assert (401, "invalid_api_key") == (status, body["error"]["code"])


@pytest.mark.parametrize("path", [CLASSIC + VERSION, "/openai/v1/chat/completions"])
@pytest.mark.parametrize("scheme", ["api-key", "authorization"])
async def test_azure_takes_the_key_in_either_header(server, path, scheme):
    """`api-key`, or as a bearer."""
    key = {"api-key": server.api_key, "authorization": f"Bearer {server.api_key}"}[scheme]
    headers = {"authorization": "", scheme: key}
    status, body = await call(server, "POST", path, headers=headers, body=BODY)
    assert (200, "Hi") == (status, body["choices"][0]["message"]["content"])


async def test_without_a_key_everybody_may_ask():
    """For clients that have none."""
    async with FaultServer(api_key=None) as server:
        status, _ = await call(server, "GET", "/v1/models", headers={"authorization": ""})
    assert 200 == status


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (CLASSIC, 404, "404"),
        (CLASSIC + "?api-version=soon", 400, "BadRequest"),
        (CLASSIC + "?api-version=2024-10-21-preview", 200, None),
        ("/openai/v1/chat/completions?api-version=preview", 200, None),
    ],
)
async def test_the_api_version_is_checked(server, path, status, code):
    """Needed on classic routes only."""
    found, body = await call(server, "POST", path, body=BODY)
    assert (status, code) == (found, body.get("error", {}).get("code"))


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (CLASSIC + VERSION, {"code": "DeploymentNotFound"}),
        (
            "/openai/v1/chat/completions",
            {"code": "DeploymentNotFound", "type": "invalid_request_error"},
        ),
        ("/v1/chat/completions", {"code": "model_not_found", "type": "invalid_request_error"}),
    ],
)
async def test_an_unknown_deployment_is_404(path, error):
    """In the shape of each API."""
    async with FaultServer(deployments={"known"}) as server:
        status, body = await call(server, "POST", path, body=BODY)
        known, _ = await call(
            server, "POST", path.replace("/d/", "/known/"), body=BODY.replace(b'"m"', b'"known"')
        )
    assert (404, 200) == (status, known)
    assert error == {key: value for key, value in body["error"].items() if key in error}


async def test_the_path_wins_over_the_body(server):
    """Azure's deployment is what the URL says."""
    _, body = await call(server, "POST", CLASSIC + VERSION, body=BODY)
    assert "d" == body["model"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/chat/completions", b'{"model":"m"}', "messages"),
        ("/v1/completions", b'{"model":"m"}', "prompt"),
        ("/v1/responses", b'{"model":"m"}', "input"),
        ("/v1/chat/completions", b'{"messages":[]}', "model"),
        ("/v1/chat/completions", b'{"messages":[', None),
        ("/v1/chat/completions", b'{"messages":[],"n":"two"}', None),
    ],
)
async def test_a_wrong_body_is_400(server, path, body, param):
    """The error names the field."""
    status, found = await call(server, "POST", path, body=body)
    assert (400, param) == (status, found["error"]["param"])
    assert (param or "Invalid request body") in found["error"]["message"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/openai/nonsense", {"code": "404", "message": "Resource not found"}),
        (
            "/nonsense",
            {
                "message": "Invalid URL (POST /nonsense)",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            },
        ),
    ],
)
async def test_an_unknown_url_is_404(server, path, error):
    """As the provider would say it."""
    assert (404, {"error": error}) == await call(server, "POST", path)


async def test_the_models_are_listed():
    """The deployments, by name."""
    async with FaultServer(deployments=["b", "a"]) as server:
        _, body = await call(server, "GET", "/v1/models")
    assert ["a", "b"] == [model["id"] for model in body["data"]]


async def test_a_rejection_has_every_header_and_a_body():
    """Also with a text that is no JSON."""
    rejection = Rejection(
        status=503,
        retry_after_s=1.5,
        retry_after_ms=1500,
        should_retry=False,
        headers={"x-ms-region": "Nowhere"},
        body="busy",
    )
    async with FaultServer(Faults(failure=rejection, content_type="text/html")) as server:
        head, body = split(await answer(server))
    lines = head.split(b"\r\n")
    assert b"HTTP/1.1 503 Service Unavailable" == lines[0]
    assert {
        b"retry-after: 1.5",
        b"retry-after-ms: 1500",
        b"x-should-retry: false",
        b"x-ms-region: Nowhere",
        b"content-type: text/html",
        b"content-length: 4",
    } <= set(lines)
    assert b"busy" == body


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (CLASSIC + VERSION, {"code": "429", "message": "Too Many Requests."}),
        (
            "/v1/chat/completions",
            {
                "message": "Too Many Requests.",
                "type": "invalid_request_error",
                "param": None,
                "code": "rate_limit_exceeded",
            },
        ),
    ],
)
async def test_a_rejection_has_the_providers_body_by_default(path, error):
    """Each in its shape."""
    async with FaultServer(Faults(failure=Rejection())) as server:
        assert (429, {"error": error}) == await call(server, "POST", path, body=BODY)


async def test_a_scenario_is_played_request_by_request():
    """429 once, then an answer each time."""
    async with FaultServer(Faults(failure=Rejection()), Faults()) as server:
        statuses = [
            (await call(server, "POST", "/v1/chat/completions", body=BODY))[0] for _ in range(3)
        ]
    assert [429, 200, 200] == statuses


async def test_the_model_chooses_its_faults():
    """Or the deployment."""
    scenario = Scenario(models={"d": (Turn(faults=Faults(failure=Rejection(status=500))),)})
    async with FaultServer(scenario) as server:
        by_path = await call(server, "POST", CLASSIC + VERSION, body=BODY)
        by_body = await call(
            server, "POST", "/v1/chat/completions", body=BODY.replace(b'"m"', b'"d"')
        )
        other = await call(server, "POST", "/v1/chat/completions", body=BODY)
    assert [500, 500, 200] == [by_path[0], by_body[0], other[0]]


async def test_headers_choose_faults_and_answer(server):
    """For this one request; other characters than ASCII are UTF-8."""
    headers = {
        "x-tickertape-faults": '{"omit": ["done", "finish_reason"]}',
        "x-tickertape-answer": '{"text": "naïve"}',
    }
    found = events(text_of(await answer(server, headers=headers)))
    assert ["", "naïve"] == [chunk["choices"][0]["delta"]["content"] for chunk in found]
    assert "[DONE]" == events(text_of(await answer(server)))[-1]


@pytest.mark.parametrize("name", ["x-tickertape-faults", "x-tickertape-answer"])
async def test_a_header_that_is_wrong_is_400(server, name):
    """It says what and where."""
    status, body = await call(
        server, "POST", "/v1/chat/completions", headers={name: '{"pase": 1}'}, body=BODY
    )
    assert (400, "bad_faults") == (status, body["error"]["code"])
    assert f"{name}: Object contains unknown field `pase`" == body["error"]["message"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/chat/completions", lambda body: body["choices"][0]["message"]["content"]),
        ("/v1/completions", lambda body: body["choices"][0]["text"]),
        ("/v1/responses", lambda body: body["output"][0]["content"][0]["text"]),
    ],
)
async def test_without_a_stream_the_answer_is_one_body(server, path, text):
    """In each API."""
    asked = json.dumps({"model": "m", "messages": [], "prompt": "", "input": ""}).encode()
    status, body = await call(server, "POST", path, body=asked)
    assert (200, "Hi") == (status, text(body))


async def test_without_a_stream_an_error_is_a_status():
    """There is no stream for it to be in."""
    async with FaultServer(Faults(failure=StreamError(message="no"))) as server:
        status, body = await call(server, "POST", "/v1/chat/completions", body=BODY)
    assert (500, "no") == (status, body["error"]["message"])


async def test_usage_can_be_missing_in_every_api():
    """Also in the last event of a response."""
    async with FaultServer(Faults(omit=frozenset({"usage"}))) as server:
        chat = events(text_of(await answer(server, stream_options={"include_usage": True})))
        (*_, last) = events(text_of(await answer(server, "/v1/responses")))
    assert "stop" == chat[-2]["choices"][0]["finish_reason"]
    assert ("response.completed", None) == (last["type"], last["response"]["usage"])
