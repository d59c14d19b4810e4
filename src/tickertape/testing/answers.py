"""What a model says, as a value: `Answer`; and what that is for one request.

Knows no wire format. The default answer is text in which every word is
different, so that a test sees what was lost, repeated or reordered.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from tickertape.core.events import Usage

Text: TypeAlias = str | tuple[str, ...]
"""A text is cut into words; a tuple is sent piece by piece, as it is."""

# Two- to four-byte UTF-8 among them, so that a cut anywhere meets a character.
_WORDS = ("tape", "prints", "every", "word", "naïve", "東京", "as", "it", "arrives", "🙂")
_WORD = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")
_ARGUMENT_FRAGMENT_CHARS = 8


class ToolCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One call of a tool."""

    name: str
    arguments: Text = "{}"
    """JSON; a string is sent in fragments of a few characters."""
    id: str | None = None
    """None: one is made from its index."""

    @property
    def fragments(self) -> tuple[str, ...]:
        """Return the arguments as they are sent."""
        if isinstance(self.arguments, tuple):
            return self.arguments
        step = _ARGUMENT_FRAGMENT_CHARS
        return tuple(self.arguments[at : at + step] for at in range(0, len(self.arguments), step))


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the model says, whatever it is asked."""

    text: Text | None = None
    """None: `words` different words, or nothing beside a refusal or tool calls."""
    words: Annotated[int, Meta(ge=0)] = 24
    reasoning: Text = ""
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    """Under which name chat completions bring it; providers differ."""
    refusal: Text = ""
    tool_calls: tuple[ToolCall, ...] = ()
    n: Annotated[int, Meta(ge=1)] | None = None
    """How many choices. None: as many as the request asks for."""
    choice_order: Literal["ascending", "descending"] = "ascending"
    """Which choice's chunk comes first; some servers begin with the last."""
    finish_reason: str | None = None
    """None: `stop`, or `tool_calls`, or `length` where the request's limit cut the text."""
    usage: Usage | UnsetType | None = UNSET
    """UNSET: counted. None: the provider says nothing of it."""
    filters: Literal["auto", "off", "each_chunk", "async"] = "auto"
    """Azure's annotations: on every chunk, or in chunks of their own, the last of which
    comes after the finish reason. `auto`: `each_chunk` on Azure's routes, else `off`."""
    prompt_filter_results: dict[str, object] | UnsetType | None = UNSET
    """The prompt's annotations, by category. UNSET: all safe, on Azure's routes. None: none."""


class Choice(Struct, frozen=True, kw_only=True):
    """One of the n answers to a request, in the pieces in which it is sent."""

    index: int
    reasoning: tuple[str, ...]
    text: tuple[str, ...]
    refusal: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str

    @property
    def piece_count(self) -> int:
        """Return how many pieces there are: what counts as output tokens."""
        calls = sum(len(call.fragments) for call in self.tool_calls)
        return len(self.reasoning) + len(self.text) + len(self.refusal) + calls


def choices_for(answer: Answer, *, n: int, max_tokens: int | None) -> tuple[Choice, ...]:
    """Return what the answer is for a request that wants `n` choices of limited length."""
    count = answer.n if answer.n is not None else n
    return tuple(_choice(answer, index, max_tokens) for index in range(count))


def usage_for(answer: Answer, choices: tuple[Choice, ...], *, input_tokens: int) -> Usage | None:
    """Return what the answer costs: what it says of that, or else a count of its pieces."""
    if not isinstance(answer.usage, UnsetType):
        return answer.usage
    output_tokens = sum(choice.piece_count for choice in choices)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens,
        reasoning_tokens=sum(len(choice.reasoning) for choice in choices),
    )


def default_words(count: int, *, choice: int = 0) -> tuple[str, ...]:
    """Return the default text of a choice, one piece a word; no two words are alike."""
    first = choice * 1_000_000
    return tuple(f"{_WORDS[at % len(_WORDS)]}{first + at} " for at in range(count))


def pieces(text: Text) -> tuple[str, ...]:
    """Return the pieces in which a text is sent; joined, they are the text."""
    return text if isinstance(text, tuple) else tuple(_WORD.findall(text))


def _choice(answer: Answer, index: int, max_tokens: int | None) -> Choice:
    text: tuple[str, ...] = ()
    if answer.text is not None:
        text = pieces(answer.text)
    elif not (answer.refusal or answer.tool_calls):
        text = default_words(answer.words, choice=index)
    is_cut = max_tokens is not None and len(text) > max_tokens
    said = "length" if is_cut else ("tool_calls" if answer.tool_calls else "stop")
    return Choice(
        index=index,
        reasoning=pieces(answer.reasoning),
        text=text[:max_tokens] if is_cut else text,
        refusal=pieces(answer.refusal),
        tool_calls=answer.tool_calls,
        finish_reason=answer.finish_reason or said,
    )
