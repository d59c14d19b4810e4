"""Which call a URL means."""

import pytest

from tickertape.testing.fault_server.routes import Route, route


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        (
            "POST",
            "/openai/deployments/my%2Fdep/chat/completions",
            Route(api="chat", flavor="azure", is_classic=True, deployment="my/dep"),
        ),
        (
            "POST",
            "/openai/deployments/d/completions",
            Route(api="completions", flavor="azure", is_classic=True, deployment="d"),
        ),
        ("POST", "/openai/v1/chat/completions", Route(api="chat", flavor="azure")),
        ("POST", "/openai/v1/completions", Route(api="completions", flavor="azure")),
        (
            "POST",
            "/openai/v1/deployments/d/chat/completions",
            Route(api="chat", flavor="azure", deployment="d"),
        ),
        ("POST", "/openai/v1/responses", Route(api="responses", flavor="azure")),
        ("POST", "/openai/responses", Route(api="responses", flavor="azure", is_classic=True)),
        ("GET", "/openai/models", Route(api="models", flavor="azure", is_classic=True)),
        ("POST", "/v1/chat/completions", Route(api="chat", flavor="openai")),
        ("POST", "/v1/completions", Route(api="completions", flavor="openai")),
        ("POST", "/v1/responses", Route(api="responses", flavor="openai")),
        ("GET", "/v1/responses/r1", Route(api="response", flavor="openai", response_id="r1")),
        (
            "POST",
            "/openai/v1/responses/r1/cancel",
            Route(api="cancel", flavor="azure", response_id="r1"),
        ),
        ("GET", "/v1/models", Route(api="models", flavor="openai")),
    ],
)
def test_every_shape_is_known(method, path, expected):
    """Azure's two, OpenAI's, and what the SDKs make of them."""
    assert expected == route(method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/models"),
        ("POST", "/chat/completions"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "/v1/deployments/d/chat/completions"),
        ("GET", "/"),
    ],
)
def test_others_mean_nothing(method, path):
    """A wrong base URL shows as 404, as it would there."""
    assert route(method, path) is None
