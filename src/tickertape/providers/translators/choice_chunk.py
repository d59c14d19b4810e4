"""One chunk of a stream of choices: JSON → typed struct.

Knows what chat completions and plain completions have in common, and only the
fields that make events; the rest is skipped without being built. What the fields
mean is `choice_answer`'s business.

Sources: OpenAI API reference, "The chat completion chunk object" and "The
completion object"; Azure OpenAI documentation, "Content streaming".
"""

from __future__ import annotations

from typing import Annotated, Final, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from tickertape.providers.translators.json_text import UNREADABLE, has_cut_character, read_halves
from tickertape.providers.translators.surrogates import without_surrogates

# Far above any n and any number of tool calls.
Index: TypeAlias = Annotated[int, Meta(ge=0, lt=2**16)]

NO_RAW: Final = Raw()
"""What a `Raw` field holds when the provider did not send it."""


class StreamChoice(Struct, gc=False):
    """What one chunk says about one choice, whatever the choice is made of."""

    index: Index | None = 0
    finish_reason: str | None = None
    # Raw: Azure repeats the same 300 bytes on every chunk, and comparing them
    # costs a tenth of reading them.
    content_filter_results: Raw = NO_RAW
    content_filter_offsets: object = None
    error: object = None
    """OpenRouter may put it here."""


AnyChoice = TypeVar("AnyChoice", bound=StreamChoice)


class StreamChunk(Struct, Generic[AnyChoice], gc=False):
    """One chunk, as far as it matters here.

    What is no part of the answer is left open (`object`): an odd report must not
    cost a reader the text.
    """

    choices: list[AnyChoice] | None = None
    usage: object = None
    error: object = None
    prompt_filter_results: object = None
    prompt_annotations: object = None
    """What Azure called `prompt_filter_results` before."""


Chunk = TypeVar("Chunk")


def convert_cut_chunk(data: str, kind: type[Chunk], *, keeps: str) -> Chunk:
    """Return a chunk that msgspec could not read because a character was cut in two.

    The texts under each choice's field `keeps` may hold lone surrogates; nothing else does.

    Raises:
        ValueError: not JSON, or not this shape.
    """
    if not has_cut_character(data):
        raise ValueError("not the JSON of a chunk")
    try:
        return msgspec.convert(_prepared(read_halves(data), keeps), kind)
    except UNREADABLE as error:
        raise ValueError(str(error)) from error


def _prepared(chunk: object, keeps: str) -> object:
    """Put back what `StreamChoice` wants raw, and clean all but what `keeps` names."""
    if not isinstance(chunk, dict):
        return chunk
    choices = chunk.pop("choices", None)
    chunk = {name: without_surrogates(value) for name, value in chunk.items()}
    if not isinstance(choices, list):
        return {**chunk, "choices": choices}
    return {**chunk, "choices": [_prepared_choice(choice, keeps) for choice in choices]}


def _prepared_choice(choice: object, keeps: str) -> object:
    if not isinstance(choice, dict):
        return choice
    prepared = {
        name: value if name == keeps else without_surrogates(value)
        for name, value in choice.items()
    }
    if "content_filter_results" in prepared:
        results = msgspec.json.encode(prepared["content_filter_results"])
        prepared["content_filter_results"] = Raw(results)
    return prepared
