"""`tickertape stream`: one question, one answer, which may be recorded."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType

from tickertape.cli.embedded import announce_embedded
from tickertape.cli.printing import print_answer
from tickertape.client.catalogs import lend_own
from tickertape.client.chat import make_request, stream_chat
from tickertape.client.provider_call import ask
from tickertape.client.text_stream import TextStream
from tickertape.providers.base import Provider
from tickertape.providers.catalog import Catalog
from tickertape.providers.recording import RecordingFiles, RecordingProvider


class RecordingPlan:
    """Where to record the answer to, and how."""

    def __init__(self, path: Path, *, keeps_prompt: bool) -> None:
        """Take a file's name. What is there is overwritten, once there is an answer.

        Raises:
            ConfigurationError: there is no such folder.
        """
        self.files = RecordingFiles(path, overwrites=True)
        self._keeps_prompt = keeps_prompt

    def record(self, provider: Provider) -> RecordingProvider:
        """Return what answers as the provider does, and records it."""
        return RecordingProvider(
            provider, self.files, now=time.time, keep_prompts=self._keeps_prompt
        )

    def lend(self) -> AbstractAsyncContextManager[Catalog]:
        """Lend a catalog of which every answer is recorded."""
        return _RecordedLoan(self.record)


class _RecordedLoan(AbstractAsyncContextManager[Catalog]):
    """As `client.catalogs` lends a catalog, with all its routes wrapped."""

    def __init__(self, wrap: Callable[[Provider], Provider]) -> None:
        self._loan = lend_own()
        self._wrap = wrap

    async def __aenter__(self) -> Catalog:
        catalog = await self._loan.__aenter__()
        catalog.wrap_routes(self._wrap)
        return catalog

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._loan.__aexit__(kind, error, trace)


def read_prompt(prompt: str | None) -> str:
    """Return the prompt; `-` and None read it from stdin, to its end.

    With a prompt, stdin is left alone: it may be the rest of somebody's loop.
    """
    return sys.stdin.read() if prompt is None or prompt == "-" else prompt


def stream_answer(
    prompt: str,
    *,
    model: str | None,
    system: str | None,
    max_tokens: int | None,
    temperature: float | None,
    recording: RecordingPlan | None = None,
) -> int:
    """Print the answer as it comes, and return the exit code."""
    announce_embedded(model)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    if recording is None:
        return print_answer(
            stream_chat(messages, model, max_tokens=max_tokens, temperature=temperature)
        )
    request = make_request(messages, model, max_tokens=max_tokens, temperature=temperature)
    source = ask(request, lend_catalog=recording.lend)
    exit_code = print_answer(TextStream(source))
    made = recording.files.made
    # More than one: the first ones are attempts that failed.
    if made and (len(made) > 1 or sys.stderr.isatty()):
        print(f"tickertape: recorded to {', '.join(map(str, made))}", file=sys.stderr)
    return exit_code
