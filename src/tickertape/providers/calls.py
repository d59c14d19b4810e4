"""What to send for a request, and who understands the answer: one call for each API.

Knows each API's path, body and translator. Hosts, keys and connections are the
providers' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, assert_never, get_args

import msgspec

from tickertape.core.errors import ConfigurationError, InvalidRequest
from tickertape.core.request import ChatRequest, CompletionRequest, Request
from tickertape.providers.base import Translator
from tickertape.providers.response_body import response_fields
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.choice_stream import EndPolicy
from tickertape.providers.translators.completions import CompletionsTranslator
from tickertape.providers.translators.responses import ResponsesTranslator

Api: TypeAlias = Literal["chat_completions", "responses"]
"""How a provider is asked for a chat."""

APIS: Final[tuple[Api, ...]] = get_args(Api)

Path: TypeAlias = Literal["chat/completions", "completions", "responses"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to be sent to `path` below the provider's base URL."""

    path: Path
    body: bytes
    translator: Translator
    is_background: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """How one provider is asked.

    Raises:
        ConfigurationError: the settings don't go together.
    """

    api: Api = "chat_completions"
    background: bool = False
    """Let a response go on at the provider while nobody is connected: it is kept there then."""
    include_usage: bool = True
    """Ask for token counts (`stream_options`); the Responses API always tells them."""
    end_policy: EndPolicy = EndPolicy.FINISH_REASON
    extra_fields: Mapping[str, object] | None = None
    """These go into each body, unless the request has them itself."""

    def __post_init__(self) -> None:
        if self.api not in APIS:
            raise ConfigurationError(f"api is {self.api!r}; it must be one of {', '.join(APIS)}")
        if self.background and self.api != "responses":
            raise ConfigurationError(
                "only the Responses API has background mode; set api to responses "
                "(TICKERTAPE_API=responses), or turn background off"
            )

    def describe(self) -> str:
        """Return what is out of the ordinary about these calls, to be put after a comma."""
        if self.api == "chat_completions":
            return ""
        return ", Responses API in background mode" if self.background else ", Responses API"

    def call(self, request: Request) -> Call:
        """Return what to send, and a translator for its one answer.

        Raises:
            InvalidRequest: no model is named.
            ProviderError: the API does not know one of the settings.
        """
        if not request.model:
            raise InvalidRequest("the request names no model", param="model")
        match request:
            case ChatRequest() if self.api == "responses":
                return self._response(request)
            case ChatRequest():
                chat = ChatCompletionsTranslator(
                    end_policy=self.end_policy, expected_choices=_answers(request.n)
                )
                return Call("chat/completions", self._choice_body(request), chat)
            case CompletionRequest():
                prompts = 1 if isinstance(request.prompt, str) else len(request.prompt)
                text = CompletionsTranslator(
                    end_policy=self.end_policy, expected_choices=_answers(request.n) * prompts
                )
                return Call("completions", self._choice_body(request), text)
            case _:
                assert_never(request)

    def _choice_body(self, request: Request) -> bytes:
        fields = msgspec.to_builtins(request)
        options = {"stream_options": {"include_usage": True}} if self.include_usage else {}
        return msgspec.json.encode(
            {**(self.extra_fields or {}), **fields, "stream": True, **options}
        )

    def _response(self, request: ChatRequest) -> Call:
        fields: dict[str, object] = {
            "store": False,  # left out, it means true: chat completions are not stored, either
            **(self.extra_fields or {}),
            **response_fields(request),
            "stream": True,
        }
        if self.background:
            fields |= {"background": True, "store": True}
        body = msgspec.json.encode(fields)
        return Call("responses", body, ResponsesTranslator(), is_background=self.background)


def _answers(n: object) -> int:
    return n if isinstance(n, int) else 1
