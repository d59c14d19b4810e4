"""One chunk of a plain completion stream: JSON → typed struct.

Source: OpenAI API reference, "The completion object".
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from tickertape.providers.translators.choice_chunk import (
    StreamChoice,
    StreamChunk,
    convert_cut_chunk,
)


class CompletionChoice(StreamChoice, gc=False):
    """What one chunk says about one choice."""

    text: str | None = None


CompletionChunk: TypeAlias = StreamChunk[CompletionChoice]

_decoder: Final = msgspec.json.Decoder(CompletionChunk)

decode_chunk: Final = _decoder.decode
"""Return the chunk in one server-sent event's data; raises `UNREADABLE`."""


def decode_cut_chunk(data: str) -> CompletionChunk:
    """Return a chunk that `decode_chunk` could not read because a character was cut in two.

    The texts of its choices may hold lone surrogates; nothing else does.

    Raises:
        ValueError: not JSON, or not this shape.
    """
    return convert_cut_chunk(data, CompletionChunk, keeps="text")
