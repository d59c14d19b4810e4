"""The decode benchmark works, and a wrong text does not pass it."""

from __future__ import annotations

import pytest

from benchmarks import azure_stream, decode
from benchmarks.findings import TextDiffers

SENT = azure_stream.tokens(200)
CHUNKS = azure_stream.whole(SENT)


@pytest.mark.parametrize("reads", [CHUNKS, decode.recut(CHUNKS)], ids=["chunks", "64 KiB"])
def test_every_decoder_gives_the_text_that_was_sent(reads):
    """All three decoders pass the comparison, and each has a figure."""
    found = decode.compare("smoke", reads, sent=SENT, rounds=1)
    assert {"ours", "usual", "usual_async"} == set(found.figures)


@pytest.mark.parametrize("decoder", [decode.ours, decode.usual, decode.usual_async])
def test_a_lost_token_fails_the_comparison(decoder):
    """A stream that lacks one token is told from the whole one, whoever decodes it."""
    cut = [*CHUNKS[:100], *CHUNKS[101:]]
    with pytest.raises(TextDiffers):
        decode.compare("smoke", cut, sent=SENT, rounds=1, decoders=[decoder])


def test_the_same_tokens_give_the_same_bytes():
    """The stream is made without chance, so that runs can be compared."""
    assert CHUNKS == azure_stream.whole(azure_stream.tokens(200))
