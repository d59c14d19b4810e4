"""Azure OpenAI: its two shapes of URL, and its two ways to sign in.

A *classic* URL names the deployment and an API version; the *v1* URL names
neither, and the deployment is the body's `model`. (The classic URL of the Responses
API has the version only.) Azure answers both in the same way.

Source: Microsoft, "Azure OpenAI API version lifecycle".
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote

from tickertape.core.errors import InvalidRequest, MissingExtra, ProviderError
from tickertape.core.request import Request
from tickertape.providers.address import base_url as parse_base_url
from tickertape.providers.base import ProviderStream
from tickertape.providers.caller import Caller
from tickertape.providers.calls import Api, CallPlan, Path
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import header_value
from tickertape.providers.refusal import DETAIL_CHARS, reworded

DEFAULT_SCOPE: Final = "https://ai.azure.com/.default"
"""Who a token is for. Older resources may want `https://cognitiveservices.azure.com/.default`."""

REFRESH_BEFORE_S: Final = 300.0
"""A token is replaced this long before it expires, so that none expires on its way."""

# API versions that mean the v1 URL; any other (a date) means the classic one.
_V1_VERSIONS: Final = frozenset({"", "v1", "preview", "latest"})


class TokenCredential(Protocol):
    """What signs in: a credential of azure-identity, sync or async, or anything alike.

    `get_token(scope)` returns something with `.token` and `.expires_on` (UTC,
    seconds since the epoch), or an awaitable of it.
    """

    def get_token(self, *scopes: str) -> Any:  # noqa: ANN401  # both kinds of credential fit
        """Return a token for the scope."""


class EntraSignIn:
    """Signs in with Microsoft Entra ID, and keeps the token until shortly before it expires."""

    def __init__(
        self,
        credential: TokenCredential | None = None,
        *,
        scope: str = DEFAULT_SCOPE,
        now: Callable[[], float] = time.time,
    ) -> None:
        """None takes azure-identity's `DefaultAzureCredential`, made when it is first needed.

        Raises:
            MissingExtra: there is no credential, and azure-identity is not installed.
        """
        if credential is None:
            _require_azure_identity()
        self._credential = credential
        self._is_own = credential is None
        self._scope = scope
        self._now = now
        self._token = ""
        self._expires_at = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        """Return the header that signs a request.

        Raises:
            ProviderError: no token was given (`provider_rejected`).
        """
        async with self._one_at_a_time:
            if self._now() >= self._expires_at - REFRESH_BEFORE_S:
                await self._refresh()
        return {"Authorization": f"Bearer {self._token}"}

    async def close(self) -> None:
        """Close the credential, where it was made here."""
        if self._is_own and self._credential is not None:
            credential, self._credential = self._credential, None
            await asyncio.to_thread(credential.close)  # type: ignore[attr-defined]

    async def _refresh(self) -> None:
        try:
            granted = await self._get_token()
        except Exception as error:  # any credential may be given, so any error may come
            raise ProviderError(
                "provider_rejected",
                "signing in to Azure with Entra ID failed; sign in (az login), give this machine "
                "an identity, or set AZURE_OPENAI_API_KEY",
                detail=str(error)[:DETAIL_CHARS],
            ) from error
        self._token, self._expires_at = granted.token, float(granted.expires_on)

    async def _get_token(self) -> Any:  # noqa: ANN401
        if self._credential is None:
            self._credential = await asyncio.to_thread(_default_credential)
        get_token = self._credential.get_token
        if inspect.iscoroutinefunction(get_token):
            return await get_token(self._scope)
        # A sync credential asks the network, or runs a program: never on the event loop.
        granted = await asyncio.to_thread(get_token, self._scope)
        return await granted if inspect.isawaitable(granted) else granted


class KeySignIn:
    """Signs in with a header that stays the same: a key, or a token that somebody else renews."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    async def headers(self) -> dict[str, str]:
        """Return the header that signs a request."""
        return self._headers

    async def close(self) -> None:
        """Do nothing: a key holds nothing open."""


class AzureProvider:
    """One Azure OpenAI resource. A request's model is the name of a deployment in it."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        endpoint: str,
        api_key: str | None = None,
        token: str | None = None,
        credential: TokenCredential | None = None,
        scope: str = DEFAULT_SCOPE,
        api_version: str | None = None,
        name: str = "azure",
        include_usage: bool = True,
        api: Api = "chat_completions",
        background: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Make a provider for the resource at `endpoint` (`https://NAME.openai.azure.com`).

        Signs in with the first of credential, token and key that is given, and
        with `DefaultAzureCredential` when none is. `api_version`: a date means
        the classic URL; None, `v1`, `preview` or `latest` mean v1, and so does an
        endpoint that ends in `/openai/v1`, whatever the version. `api` and
        `background` are as in `OpenAIProvider`.

        Raises:
            ConfigurationError: the endpoint or the key can't be used, or the
                settings don't go together.
            MissingExtra: Entra ID is needed, and azure-identity is not installed.
        """
        self.name = name
        self._plan = CallPlan(api=api, background=background, include_usage=include_usage)
        self._api_version = (api_version or "").strip()
        self._base_url = parse_base_url(endpoint, named="AZURE_OPENAI_ENDPOINT")
        self._is_v1 = self._api_version in _V1_VERSIONS or self._base_url.endswith("/openai/v1")
        self._base_url = self._base_url.removesuffix("/v1").removesuffix("/openai")
        self._sign_in: EntraSignIn | KeySignIn
        if credential is None and token is not None:
            self._way = "with a token"
            bearer = header_value(token, "AZURE_OPENAI_AD_TOKEN")
            self._sign_in = KeySignIn({"Authorization": f"Bearer {bearer}"})
        elif credential is None and api_key is not None:
            self._way = "with a key"
            self._sign_in = KeySignIn({"api-key": header_value(api_key, "AZURE_OPENAI_API_KEY")})
        else:
            self._way = "with Entra ID"
            self._sign_in = EntraSignIn(credential, scope=scope, now=now)
        self._caller = Caller(transport, sign=self._sign_in.headers)

    def describe(self) -> str:
        """Return one line for the operator; no key is in it."""
        version = "v1" if self._is_v1 else self._api_version
        return f"{self.name}: {self._base_url}, API {version}, {self._way}{self._plan.describe()}"

    async def close(self) -> None:
        """Stop what still goes on in the background, and release what signing in holds."""
        try:
            await self._caller.close()
        finally:
            await self._sign_in.close()

    async def open(self, request: Request) -> ProviderStream:
        """Send the request and return its answer once the status is known.

        `request.model` is the deployment's name.

        Raises:
            ProviderError: not reached, or refused. Nothing stays open.
        """
        if not request.model:
            raise InvalidRequest("the request names no deployment", param="model")
        call = self._plan.call(request)
        try:
            return await self._caller.open(self._url(call.path, request.model), call)
        except ProviderError as error:
            raise _explained(error, request.model) from error

    async def reattach(self, response_id: str, *, model: str) -> ProviderStream:
        """See `providers.base.Reattachable`."""
        return await self._caller.reattach(self._url("responses", model), response_id)

    def stop(self, response_id: str, *, model: str) -> None:
        """See `providers.base.Reattachable`."""
        self._caller.stop(self._url("responses", model), response_id)

    def _url(self, path: Path, deployment: str) -> str:
        base = f"{self._base_url}/openai"
        version = quote(self._api_version, safe="")
        if self._is_v1:
            query = "?api-version=preview" if self._api_version == "preview" else ""
            return f"{base}/v1/{path}{query}"
        if path == "responses":
            return f"{base}/responses?api-version={version}"
        return f"{base}/deployments/{quote(deployment, safe='')}/{path}?api-version={version}"


def _explained(error: ProviderError, deployment: str) -> ProviderError:
    match error.status:
        case 401:
            return reworded(
                error,
                "Azure did not accept the sign-in (401): the key or token must belong to the "
                "resource that AZURE_OPENAI_ENDPOINT names",
            )
        case 404:
            # Azure gives the same status for a wrong deployment, path and version.
            return reworded(
                error,
                f"Azure has no deployment {deployment!r} (404): check its name, that it is in the "
                "resource that AZURE_OPENAI_ENDPOINT names, and OPENAI_API_VERSION",
            )
        case _:
            return error


def _require_azure_identity() -> None:
    from importlib.util import find_spec

    try:
        is_installed = find_spec("azure.identity") is not None
    except ModuleNotFoundError:  # not even the package above it
        is_installed = False
    if not is_installed:
        raise MissingExtra("azure", needed_for="signing in to Azure without a key")


def _default_credential() -> TokenCredential:
    # Imported here: it is an extra, and takes a third of a second. The sync credential, in a
    # thread: the async one would bring an HTTP transport of its own into our event loop.
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()
