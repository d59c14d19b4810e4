"""One call of a model as the dialects see it: what was asked, and who seems to answer."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Raw, Struct

from tickertape.testing.answers import Answer, Choice, choices_for

Flavor: TypeAlias = Literal["azure", "openai"]

# Four characters a token: what providers themselves name as a rule of thumb.
_CHARS_PER_TOKEN = 4


class StreamOptions(Struct, frozen=True, kw_only=True):
    """What a request says about its stream."""

    include_usage: bool | None = False


class Asked(Struct, frozen=True, kw_only=True):
    """The fields of a request that change the answer, of all three APIs."""

    model: str = ""
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = 1
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    background: bool | None = False
    messages: Raw = Raw()
    prompt: Raw = Raw()
    input: Raw = Raw()

    @property
    def limit(self) -> int | None:
        """Return how many tokens the answer may have, by whatever name it was asked."""
        for limit in (self.max_completion_tokens, self.max_tokens, self.max_output_tokens):
            if limit is not None:
                return limit
        return None

    @property
    def wants_usage(self) -> bool:
        """Return whether a chat stream ends with a chunk of usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def input_tokens(self) -> int:
        """Return about how many tokens the question has: a number that depends on it alone."""
        characters = sum(len(bytes(raw)) for raw in (self.messages, self.prompt, self.input))
        return max(1, characters // _CHARS_PER_TOKEN)


class Call(Struct, frozen=True, kw_only=True):
    """One request to a model, and what identifies its answer."""

    id: str
    """A number, to which each dialect adds its prefix."""
    model: str
    created_at: int
    """UTC, whole seconds since the epoch."""
    flavor: Flavor
    asked: Asked
    answer: Answer

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return what the answer is for this request."""
        return choices_for(self.answer, n=self.asked.n or 1, max_tokens=self.asked.limit)

    @property
    def filters(self) -> Literal["off", "each_chunk", "async"]:
        """Return how content-filter annotations come."""
        if self.answer.filters == "auto":
            return "each_chunk" if self.flavor == "azure" else "off"
        return self.answer.filters
