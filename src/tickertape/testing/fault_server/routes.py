"""Which call a URL means, in all the shapes that Azure OpenAI, OpenAI and their SDKs use.

Every prefix stands in `PREFIXES`, every call in `CALLS`.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote

from msgspec import Struct

from tickertape.testing.fault_server.call import Flavor

Api: TypeAlias = Literal["chat", "completions", "responses", "response", "cancel", "models"]


class Route(Struct, frozen=True, kw_only=True):
    """What a URL means."""

    api: Api
    flavor: Flavor
    is_classic: bool = False
    """Azure before its v1: the request needs an api-version."""
    deployment: str | None = None
    """From the path, where it stands there; it wins over the body's model."""
    response_id: str | None = None


# The longest come first. AzureOpenAI with a base_url of …/openai/v1/ makes the
# second one; AzureOpenAI with an endpoint sends responses and models to the last.
PREFIXES: Final[tuple[tuple[str, Flavor, bool], ...]] = (
    (r"/openai/deployments/(?P<deployment>[^/]+)", "azure", True),
    (r"/openai/v1/deployments/(?P<deployment>[^/]+)", "azure", False),
    (r"/openai/v1", "azure", False),
    (r"/openai", "azure", True),
    (r"/v1", "openai", False),
)
CALLS: Final[tuple[tuple[str, str, Api], ...]] = (
    ("POST", r"/chat/completions", "chat"),
    ("POST", r"/completions", "completions"),
    ("POST", r"/responses", "responses"),
    ("GET", r"/responses/(?P<response_id>[^/]+)", "response"),
    ("POST", r"/responses/(?P<response_id>[^/]+)/cancel", "cancel"),
    ("GET", r"/models", "models"),
)
_TABLE: Final = [
    (method, re.compile(prefix + call), api, flavor, is_classic)
    for prefix, flavor, is_classic in PREFIXES
    for method, call, api in CALLS
]


def route(method: str, path: str) -> Route | None:
    """Return what the percent-encoded path means, or None."""
    for wanted, pattern, api, flavor, is_classic in _TABLE:
        if method == wanted and (match := pattern.fullmatch(path)):
            names = {name: unquote(value) for name, value in match.groupdict().items()}
            return Route(api=api, flavor=flavor, is_classic=is_classic, **names)
    return None
