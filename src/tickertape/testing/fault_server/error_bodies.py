"""What providers say when they refuse: the JSON bodies, by status and flavor.

Sources: Azure OpenAI documentation and captures of it; OpenAI API reference,
"Error codes".
"""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct

from tickertape.testing.fault_server.call import Flavor
from tickertape.testing.faults import Rejection


class Refused(Struct, frozen=True):
    """A status, and the error that goes with it."""

    status: int
    error: dict[str, object]

    @property
    def body(self) -> dict[str, object]:
        """Return the JSON body."""
        return {"error": self.error}


def wrong_key(flavor: Flavor) -> Refused:
    """Return the answer to a missing or wrong key."""
    if flavor == "azure":
        message = (
            "Access denied due to invalid subscription key or wrong API endpoint. "
            "Make sure to provide a valid key for an active subscription."
        )
        return Refused(401, {"code": "401", "message": message})
    return Refused(401, _openai("Incorrect API key provided.", code="invalid_api_key"))


def unknown_model(flavor: Flavor, model: str, *, is_classic: bool) -> Refused:
    """Return the answer to a deployment or model that is not there."""
    if flavor == "openai":
        message = f"The model `{model}` does not exist or you do not have access to it."
        return Refused(404, _openai(message, code="model_not_found"))
    error: dict[str, object] = {
        "code": "DeploymentNotFound",
        "message": "The API deployment for this resource does not exist.",
    }
    return Refused(404, error if is_classic else {"type": "invalid_request_error", **error})


def unknown_route(flavor: Flavor, target: str) -> Refused:
    """Return the answer to a URL that means nothing."""
    if flavor == "azure":
        return Refused(404, {"code": "404", "message": "Resource not found"})
    return Refused(404, _openai(f"Invalid URL ({target})", code=None))


def wrong_api_version() -> Refused:
    """Return Azure's answer to an api-version that it doesn't know."""
    return Refused(400, {"code": "BadRequest", "message": "API version not supported"})


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> Refused:
    """Return the answer to input that is wrong."""
    return Refused(400, _openai(message, code=code, param=param))


def unknown_response(response_id: str) -> Refused:
    """Return the answer to a response that is not, or no longer, kept."""
    return Refused(404, _openai(f"Response with id '{response_id}' not found.", code=None))


def filtered_prompt() -> dict[str, object]:
    """Return Azure's 400 for a prompt that its content filter refused."""
    found = {"filtered": True, "severity": "high"}
    safe = {"filtered": False, "severity": "safe"}
    results = {"hate": safe, "self_harm": safe, "sexual": safe, "violence": found}
    error = {
        "message": "The response was filtered due to the prompt triggering content management.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": results,
        },
    }
    return {"error": error}


def rejected(rejection: Rejection, flavor: Flavor) -> Refused:
    """Return the usual error for the rejection's status."""
    status = rejection.status
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown error"
    if flavor == "azure":
        return Refused(status, {"code": str(status), "message": f"{phrase}."})
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = "rate_limit_exceeded" if status == 429 else None
    error: dict[str, object] = {"message": f"{phrase}.", "type": kind, "param": None, "code": code}
    return Refused(status, error)


def _openai(message: str, *, code: str | None, param: str | None = None) -> dict[str, object]:
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}
