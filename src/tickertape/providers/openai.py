"""OpenAI's chat completions, and every server that speaks them.

Knows the address, the key and the request's form. Bytes are `http`'s business,
what an answer means is `chat_completions`'.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tickertape.core.errors import ConfigurationError, InvalidRequest, ProviderError
from tickertape.core.request import ChatRequest
from tickertape.providers.address import base_url as parse_base_url
from tickertape.providers.base import Translator
from tickertape.providers.chat_completions import ChatCompletionsTranslator
from tickertape.providers.choice_stream import EndPolicy
from tickertape.providers.http import ByteStream, HttpTransport
from tickertape.providers.refusal import reworded

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


class ChatStream:
    """One answer being received: its bytes, and who understands them."""

    __slots__ = ("_bytes", "translator")

    def __init__(self, stream: ByteStream, translator: Translator) -> None:
        self._bytes = stream
        self.translator = translator

    # Not `async def`: that would be one more coroutine for each read.
    def read(self) -> Coroutine[Any, Any, bytes]:
        """Return the next bytes; see `http.ByteStream.read`."""
        return self._bytes.read()

    def close(self) -> None:
        """Close the connection, which makes the provider stop. Safe to repeat."""
        self._bytes.close()


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
    ) -> None:
        """Make a provider that calls `{base_url}/chat/completions`.

        Compatible servers may need no key. `include_usage` asks for token counts
        (`stream_options`); turn it off for a server that refuses the field.
        `end_policy` None chooses by the host. Extra fields go into each request's
        body, unless the request has them itself.

        Raises:
            ConfigurationError: the URL or the key can't be used.
        """
        self.name = name
        self._transport = transport
        self._base_url = parse_base_url(base_url, named="OPENAI_BASE_URL")
        self._include_usage = include_usage
        self._end_policy = end_policy or end_policy_of(self._base_url)
        self._extra_fields = dict(extra_fields or {})
        self._headers = dict(extra_headers or {})
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {header_value(api_key, 'OPENAI_API_KEY')}"
        if organization is not None:
            self._headers["OpenAI-Organization"] = header_value(organization, "organization")
        if project is not None:
            self._headers["OpenAI-Project"] = header_value(project, "project")

    def describe(self) -> str:
        """Return one line for the operator; no key is in it."""
        key = "with a key" if "Authorization" in self._headers else "without a key"
        return f"{self.name}: {self._base_url}, {key}"

    async def open(self, request: ChatRequest) -> ChatStream:
        """Send the request and return its answer once the status is known.

        `request.model` is the server's own name for the model.

        Raises:
            ProviderError: not reached, or refused. Nothing stays open.
        """
        try:
            stream = await self._transport.open_stream(
                f"{self._base_url}/chat/completions",
                headers=self._headers,
                body=encode_chat(
                    request, include_usage=self._include_usage, extra_fields=self._extra_fields
                ),
            )
        except ProviderError as error:
            raise self._explained(error, request.model) from error
        return ChatStream(stream, translator_for(request, self._end_policy))

    def _explained(self, error: ProviderError, model: str) -> ProviderError:
        match error.status:
            case 401:
                return reworded(
                    error, f"{self.name} did not accept the key (401); check OPENAI_API_KEY"
                )
            case 404:
                return reworded(
                    error,
                    f"{self.name} has no model {model!r} (404); check the name, and that "
                    "OPENAI_BASE_URL is the URL before /chat/completions",
                )
            case _:
                return error


def end_policy_of(base_url: str) -> EndPolicy:
    """Return how strictly an answer's end is judged, by who is known to answer there."""
    host = urlsplit(base_url).hostname or ""
    is_strict = host == _STRICT_HOSTS[0] or host.endswith(_STRICT_HOSTS[1:])
    return EndPolicy.FINISH_REASON if is_strict else EndPolicy.DONE_IS_ENOUGH


def translator_for(request: ChatRequest, end_policy: EndPolicy) -> ChatCompletionsTranslator:
    """Return a translator for the request's one answer."""
    choices = request.n if isinstance(request.n, int) else 1
    return ChatCompletionsTranslator(end_policy=end_policy, expected_choices=choices)


def encode_chat(
    request: ChatRequest,
    *,
    include_usage: bool = True,
    extra_fields: Mapping[str, object] | None = None,
) -> bytes:
    """Return the request as the JSON body that asks for a stream.

    Raises:
        InvalidRequest: no model is named.
    """
    if not request.model:
        raise InvalidRequest("the request names no model", param="model")
    fields: dict[str, object] = {**(extra_fields or {}), **msgspec.to_builtins(request)}
    fields["stream"] = True
    if include_usage:
        fields["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(fields)


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
