"""OpenAI, and every server that speaks its protocols.

Knows the address and the key. What is sent there, and who understands the
answer, is `calls`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.core.request import Request
from tickertape.providers.address import base_url as parse_base_url
from tickertape.providers.base import ProviderStream
from tickertape.providers.caller import Caller
from tickertape.providers.calls import Api, CallPlan
from tickertape.providers.http import HttpTransport
from tickertape.providers.refusal import reworded
from tickertape.providers.translators.choice_stream import EndPolicy

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"

# These always send a finish reason, so an answer without one was cut. With a dot, names below
# them count too: regional hosts, and Azure's resources (by their v1 URL).
_STRICT_HOSTS: Final = (
    "api.openai.com",
    ".api.openai.com",
    ".openai.azure.com",
    ".services.ai.azure.com",
    ".cognitiveservices.azure.com",
)


class OpenAIProvider:
    """OpenAI, or a server compatible with it (vLLM, Ollama, LM Studio, OpenRouter …)."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        base_url: str = DEFAULT_BASE_URL,
        api_key: str | None = None,
        name: str = "openai",
        organization: str | None = None,
        project: str | None = None,
        include_usage: bool = True,
        end_policy: EndPolicy | None = None,
        extra_headers: Mapping[str, str] | None = None,
        extra_fields: Mapping[str, object] | None = None,
        api: Api = "chat_completions",
        background: bool = False,
    ) -> None:
        """Make a provider that calls what is below `base_url`.

        Compatible servers may need no key. `include_usage` asks for token counts
        (`stream_options`); turn it off for a server that refuses the field.
        `end_policy` None chooses by the host. Extra fields go into each request's
        body, unless the request has them itself. `api` is how a chat is asked for;
        with `background`, a response outlives its connection (see
        `background_responses`), and is stored at the provider for that.

        Raises:
            ConfigurationError: the URL or the key can't be used, or the settings
                don't go together.
        """
        self.name = name
        self._base_url = parse_base_url(base_url, named="OPENAI_BASE_URL")
        self._plan = CallPlan(
            api=api,
            background=background,
            include_usage=include_usage,
            end_policy=end_policy or end_policy_of(self._base_url),
            extra_fields=extra_fields,
        )
        self._headers = dict(extra_headers or {})
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {header_value(api_key, 'OPENAI_API_KEY')}"
        if organization is not None:
            self._headers["OpenAI-Organization"] = header_value(organization, "organization")
        if project is not None:
            self._headers["OpenAI-Project"] = header_value(project, "project")
        self._caller = Caller(transport, sign=self._sign)

    def describe(self) -> str:
        """Return one line for the operator; no key is in it."""
        key = "with a key" if "Authorization" in self._headers else "without a key"
        return f"{self.name}: {self._base_url}, {key}{self._plan.describe()}"

    async def close(self) -> None:
        """Stop what still goes on in the background, and wait until that is done."""
        await self._caller.close()

    async def open(self, request: Request) -> ProviderStream:
        """Send the request and return its answer once the status is known.

        `request.model` is the server's own name for the model.

        Raises:
            ProviderError: not reached, or refused. Nothing stays open.
        """
        call = self._plan.call(request)
        try:
            return await self._caller.open(f"{self._base_url}/{call.path}", call)
        except ProviderError as error:
            raise self._explained(error, request.model, call.path) from error

    async def reattach(self, response_id: str, *, model: str) -> ProviderStream:  # noqa: ARG002
        """See `providers.base.Reattachable`."""
        return await self._caller.reattach(f"{self._base_url}/responses", response_id)

    def stop(self, response_id: str, *, model: str) -> None:  # noqa: ARG002
        """See `providers.base.Reattachable`."""
        self._caller.stop(f"{self._base_url}/responses", response_id)

    async def _sign(self) -> Mapping[str, str]:
        return self._headers

    def _explained(self, error: ProviderError, model: str, path: str) -> ProviderError:
        match error.status:
            case 401:
                return reworded(
                    error, f"{self.name} did not accept the key (401); check OPENAI_API_KEY"
                )
            case 404:
                return reworded(
                    error,
                    f"{self.name} has no model {model!r} (404); check the name, and that "
                    f"OPENAI_BASE_URL is the URL before /{path}",
                )
            case _:
                return error


def end_policy_of(base_url: str) -> EndPolicy:
    """Return how strictly an answer's end is judged, by who is known to answer there."""
    host = urlsplit(base_url).hostname or ""
    is_strict = host == _STRICT_HOSTS[0] or host.endswith(_STRICT_HOSTS[1:])
    return EndPolicy.FINISH_REASON if is_strict else EndPolicy.DONE_IS_ENOUGH


def header_value(secret: str, named: str) -> str:
    """Return a key as a header can carry it: without the newline that files end in.

    Raises:
        ConfigurationError: no header can carry it. The message calls it `named`,
            and does not show it.
    """
    secret = secret.strip()
    if not secret or not secret.isascii() or not secret.isprintable():
        raise ConfigurationError(f"{named} is empty, or has characters that no key has")
    return secret
