"""The decode benchmark works, and a wrong text does not pass it."""

from __future__ import annotations

import pytest

from benchmarks import azure_stream, decode
from benchmarks.findings import TextDiffers

SENT = azure_stream.tokens(200)
APIS = pytest.mark.parametrize("api", decode.APIS, ids=lambda api: api.name)


@APIS
@pytest.mark.parametrize("cut", [list, decode.recut], ids=["events", "64 KiB"])
def test_every_decoder_gives_the_text_that_was_sent(api, cut):
    """All three decoders pass the comparison, and each has a figure."""
    reads = cut(api.stream(SENT))
    found = decode.compare("smoke", reads, api=api, sent=SENT, rounds=1)
    assert {"ours", "usual", "usual_async"} == set(found.figures)


@pytest.mark.parametrize("decoder", decode.DECODERS)
@pytest.mark.parametrize("api", decode.APIS[:2], ids=lambda api: api.name)
def test_a_lost_token_fails_the_comparison(api, decoder):
    """A stream that lacks one token is told from the whole one, whoever decodes it."""
    chunks = api.stream(SENT)
    cut = [*chunks[:100], *chunks[101:]]
    with pytest.raises(TextDiffers):
        decode.compare("smoke", cut, api=api, sent=SENT, rounds=1, decoders=[decoder])


@pytest.mark.parametrize("decoder", ["usual", "usual_async"])
def test_a_lost_token_of_a_response_fails_theirs(decoder):
    """Ours would make it good from the whole text that follows, unless more is lost."""
    chunks = decode.RESPONSES.stream(SENT)
    cut = [*chunks[:100], *chunks[101:]]
    with pytest.raises(TextDiffers):
        decode.compare("x", cut, api=decode.RESPONSES, sent=SENT, rounds=1, decoders=[decoder])


@APIS
def test_the_same_tokens_give_the_same_bytes(api):
    """The stream is made without chance, so that runs can be compared."""
    assert api.stream(SENT) == api.stream(azure_stream.tokens(200))
