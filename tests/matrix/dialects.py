"""The APIs and URL shapes of the matrix: what a provider speaks, and where its words stand.

The switch for a new API is `DIALECTS`: everything else follows from its entries.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct

from tickertape.core.request import ChatRequest, CompletionRequest, Message, Request
from tickertape.providers.azure import AzureProvider
from tickertape.providers.calls import Api
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import OpenAIProvider
from tickertape.testing.answers import Answer, default_words
from tickertape.testing.fault_server import API_VERSION

MODEL = "m"

WORDS = Answer().words
"""How many words the default answer has; each is a chunk of its own."""


class Dialect(Struct, frozen=True, kw_only=True):
    """One API at one kind of address, as the fault server speaks it."""

    api: Literal["chat", "completions", "responses"]
    shape: Literal["openai", "azure", "azure-v1"]
    lead: int
    """Chunks before the first word."""
    trail: int = 0
    """Chunks between the last word and the finish reason."""
    is_background: bool = False
    """The response goes on while nobody is connected, and is taken up again."""
    is_sampled: bool = False
    """Only its URL differs from another's, so the faults with names and refusals will do."""

    @property
    def name(self) -> str:
        """Return what a cell's id calls it."""
        return f"{self.shape}:{'background' if self.is_background else self.api}"

    @property
    def ways(self) -> tuple[str, ...]:
        """Return by which ways it can be read: our server takes no prompts without messages."""
        if self.api == "completions":
            return ("script", "engine")
        return ("script", "engine", "server")

    @property
    def is_azure(self) -> bool:
        """Tell whether Azure answers, with its annotations."""
        return self.shape != "openai"

    @property
    def needs_finish_reason(self) -> bool:
        """Tell whether `[DONE]` alone is no proper end here."""
        return self.is_azure or self.api == "responses"

    @property
    def has_choices(self) -> bool:
        """Tell whether a request may ask for more than one answer."""
        return self.api != "responses"

    @property
    def has_usage_apart(self) -> bool:
        """Tell whether the usage has a chunk of its own, after the finish reason's."""
        return self.api != "responses"

    @property
    def ends_with_finish(self) -> bool:
        """Tell whether nothing can follow the finish reason."""
        return self.api == "responses"

    @property
    def after_finish(self) -> int:
        """Return after how many chunks the finish reason is out."""
        return self.lead + WORDS + self.trail + 1

    @property
    def after_usage(self) -> int:
        """Return after how many chunks the usage is out, too."""
        return self.after_finish + int(self.has_usage_apart)

    @property
    def after_all(self) -> int:
        """Return how many chunks there are; the last one may be `[DONE]`."""
        return self.after_usage + int(self.api != "responses")

    def after_words(self, count: int) -> int:
        """Return after how many chunks so many words are out."""
        return self.lead + count

    def words_in(self, chunks: int) -> int:
        """Return how many words the first so many chunks bring."""
        return min(max(chunks - self.lead, 0), WORDS)

    def text_of(self, chunks: int) -> str:
        """Return the text that the first so many chunks bring."""
        return "".join(default_words(self.words_in(chunks)))

    def provider(
        self, transport: HttpTransport, *, url: str, api_key: str
    ) -> OpenAIProvider | AzureProvider:
        """Return the provider that speaks this dialect to the server at `url`."""
        api: Api = "responses" if self.api == "responses" else "chat_completions"
        if self.shape == "openai":
            return OpenAIProvider(
                transport,
                base_url=f"{url}/v1",
                api_key=api_key,
                api=api,
                background=self.is_background,
            )
        version = API_VERSION if self.shape == "azure" else None
        return AzureProvider(
            transport,
            endpoint=url,
            api_key=api_key,
            api_version=version,
            api=api,
            background=self.is_background,
        )

    def request(self, prompt: str = "Hi", *, model: str = MODEL, n: int = 1) -> Request:
        """Return what asks for the answer."""
        choices = n if n > 1 else UNSET
        if self.api == "completions":
            return CompletionRequest(prompt=prompt, model=model, n=choices)
        messages = [Message(role="user", content=prompt)]
        return ChatRequest(messages=messages, model=model, n=choices)

    def prompt_in(self, body: Any) -> str:
        """Return the prompt that a request's body has."""
        match self.api:
            case "chat":
                [message] = body["messages"]
                return str(message["content"])
            case "completions":
                return str(body["prompt"])
            case "responses":
                [message] = body["input"]
                return str(message["content"])


DIALECTS = (
    # The role's chunk comes first; with Azure the prompt's annotations before it.
    Dialect(api="chat", shape="openai", lead=1),
    Dialect(api="chat", shape="azure", lead=2),
    Dialect(api="chat", shape="azure-v1", lead=2, is_sampled=True),
    Dialect(api="completions", shape="openai", lead=0),
    Dialect(api="completions", shape="azure", lead=1),
    # Before the text, the response, its item and its part begin; after it they end.
    Dialect(api="responses", shape="openai", lead=4, trail=3),
    Dialect(api="responses", shape="azure-v1", lead=4, trail=3),
)

BACKGROUND = (
    # A queued response comes first.
    Dialect(api="responses", shape="openai", lead=5, trail=3, is_background=True),
    Dialect(api="responses", shape="azure-v1", lead=5, trail=3, is_background=True),
)
