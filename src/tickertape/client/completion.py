"""Plain completion for scripts: a text in, the text that follows it out.

The API from before chat (`/completions`), for the models that still want it. As in
`chat`, the environment says who answers; the names and parameters here are public
and stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

from tickertape.client.catalogs import background_catalog, lend, lend_own
from tickertape.client.provider_call import ask, request_of
from tickertape.client.text_stream import AsyncTextStream, TextStream
from tickertape.core.attempts import RetryPolicy
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import InvalidRequest
from tickertape.core.request import CompletionRequest
from tickertape.providers.catalog import Catalog


class CompletionSettings(TypedDict, total=False):
    """What else a request may say: the fields of `CompletionRequest`. None means the default."""

    suffix: str | None
    top_p: float | None
    n: int | None
    stop: str | list[str] | None
    seed: int | None
    presence_penalty: float | None
    frequency_penalty: float | None
    user: str | None


def stream_completion(
    prompt: str | Sequence[str],
    deployment: str | None = None,
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    deadlines: Deadlines | None = None,
    retry: RetryPolicy | None = None,
    **settings: Unpack[CompletionSettings],
) -> TextStream:
    """Return what a model goes on to say after the prompt, as an iterator of text.

    `deployment` is a model's name, qualified or not (`azure/gpt-35`); None means
    the environment's default. Nothing is sent before the first piece is asked for.
    The iteration is over choice 0; the others, of several prompts or with `n`, are
    in `response.state.choices`.

    Raises:
        InvalidRequest: the prompt or a setting is wrong; `param` names it.
    """
    request = make_completion_request(
        prompt, deployment, max_tokens=max_tokens, temperature=temperature, **settings
    )
    return TextStream(
        ask(request, deadlines=deadlines, retry=retry, lend_catalog=background_catalog.lend)
    )


def async_stream_completion(
    prompt: str | Sequence[str],
    deployment: str | None = None,
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    deadlines: Deadlines | None = None,
    retry: RetryPolicy | None = None,
    catalog: Catalog | None = None,
    **settings: Unpack[CompletionSettings],
) -> AsyncTextStream:
    """Return what a model goes on to say after the prompt, as an async iterator of text.

    As `stream_completion`; for `catalog` see `async_stream_chat`.

    Raises:
        InvalidRequest: the prompt or a setting is wrong; `param` names it.
    """
    request = make_completion_request(
        prompt, deployment, max_tokens=max_tokens, temperature=temperature, **settings
    )
    lend_catalog = lend_own if catalog is None else lend(catalog)
    return AsyncTextStream(
        ask(request, deadlines=deadlines, retry=retry, lend_catalog=lend_catalog)
    )


def make_completion_request(
    prompt: str | Sequence[str], deployment: str | None = None, **settings: object
) -> CompletionRequest:
    """Return the request that the arguments make; a setting that is None is left out.

    Raises:
        InvalidRequest: the prompt or a setting is wrong; `param` names it.
    """
    request = request_of(CompletionRequest, prompt=prompt, model=deployment or "", **settings)
    if not request.prompt:
        raise InvalidRequest("prompt is empty; give the text to go on from", param="prompt")
    return request
