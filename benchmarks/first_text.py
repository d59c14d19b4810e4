"""What a script waits for, and how late each token is: our functions and the `openai` package.

One provider, at an even pace, answers all of them in turn. "direct" is a bare socket,
which decodes nothing: what no client can be quicker than. All ways share one core;
the provider has another.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from openai import AsyncOpenAI, OpenAI

from benchmarks.findings import Finding, TextDiffers
from benchmarks.rig import http1
from benchmarks.rig.paced import STAMP, paced_provider, stamps_us
from tickertape import async_stream_chat, stream_chat
from tickertape.providers.catalog import Catalog

TOKENS: Final = 50
TOKENS_PER_S: Final = 50.0
MAX_WAITED_SHARE: Final = 0.02
_MODEL: Final = "gpt-4o"
_MESSAGES: Final[Any] = [{"role": "user", "content": "stream 0"}]


@dataclass(slots=True)
class Heard:
    """What one answer was like for who read it."""

    first_s: float | None = None
    """From the call to the first text."""
    delays_s: list[float] = field(default_factory=list)
    """Of each token, from the provider's write."""
    cpu_s: float = 0.0
    took_s: float = 0.0
    waited_s: float = 0.0
    """How long the process's threads could have run but had to wait for their core."""


class Listener:
    """Notes when each piece of one answer comes."""

    def __init__(self) -> None:
        self.heard = Heard()
        self._cpu_s = time.process_time()
        self._waited_s = _waited_s()
        self._started_us = time.monotonic_ns() // 1000

    def hear(self, text: str) -> None:
        """Take a piece of text, or none."""
        if not text:
            return
        now_us = time.monotonic_ns() // 1000
        if self.heard.first_s is None:
            self.heard.first_s = (now_us - self._started_us) / 1e6
        self.heard.delays_s += [(now_us - sent_us) / 1e6 for sent_us in stamps_us(text)]

    def finish(self, tokens: int, *, who: str) -> Heard:
        """Return what was heard.

        Raises:
            TextDiffers: not every token has come.
        """
        self.heard.cpu_s = time.process_time() - self._cpu_s
        self.heard.waited_s = _waited_s() - self._waited_s
        self.heard.took_s = time.monotonic() - self._started_us / 1e6
        if len(self.heard.delays_s) != tokens:
            raise TextDiffers(f"{who}: {len(self.heard.delays_s)} of {tokens} tokens came")
        return self.heard


Way = Callable[[Listener], None]


def _waited_s() -> float:
    files = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[1]) for file in files) / 1e9


def run(*, quick: bool) -> list[Finding]:
    """Let every way read many short answers in turn, then a few longer ones, then whole scripts."""
    with _provider(tokens=2) as port:
        short = _listen(port, tokens=2, rounds=3 if quick else 40)
        scripts = _start_scripts(rounds=1 if quick else 7)
    tokens = 10 if quick else TOKENS
    with _provider(tokens=tokens) as port:
        long = _listen(port, tokens=tokens, rounds=1 if quick else 5)
    return [*_first_texts(short), _script_finding(scripts), *_delays(long)]


@contextmanager
def _provider(*, tokens: int) -> Iterator[int]:
    """Run a provider on one core and this process on another; name it to both libraries."""
    available = os.sched_getaffinity(0)
    with ExitStack() as stack:
        port = stack.enter_context(
            paced_provider(tokens=tokens, tokens_per_s=TOKENS_PER_S, core=max(available))
        )
        os.sched_setaffinity(0, {min(available)})
        stack.callback(os.sched_setaffinity, 0, available)
        stack.enter_context(_environment(port))
        yield port


@contextmanager
def _environment(port: int) -> Iterator[None]:
    """Name the provider to both libraries, in the way that both know."""
    before = dict(os.environ)
    os.environ.update(OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1", OPENAI_API_KEY="any")
    os.environ["TICKERTAPE_MODEL"] = f"openai/{_MODEL}"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _ways(port: int, runner: asyncio.Runner) -> Iterator[dict[tuple[str, str], Way]]:
    """Yield what reads one answer, by kind and by who, with what it keeps between two of them."""
    catalog = Catalog.from_environment(os.environ)
    client, async_client = OpenAI(max_retries=0), AsyncOpenAI(max_retries=0)
    connection = socket.create_connection(("127.0.0.1", port))

    def ours(listener: Listener) -> None:
        for text in stream_chat(_MESSAGES):
            listener.hear(text)

    def usual(listener: Listener) -> None:
        _hear_chunks(listener, client)

    def direct(listener: Listener) -> None:
        _hear_socket(listener, connection)

    def async_ours(listener: Listener) -> None:
        runner.run(_hear_ours(listener, catalog))

    def async_usual(listener: Listener) -> None:
        runner.run(_hear_chunks_async(listener, async_client))

    def new_ours(listener: Listener) -> None:
        runner.run(_hear_ours(listener, None))

    def new_usual(listener: Listener) -> None:
        runner.run(_hear_with_a_new_client(listener))

    try:
        yield {
            ("sync", "ours"): ours,
            ("sync", "usual"): usual,
            ("sync", "direct"): direct,
            ("async", "ours"): async_ours,
            ("async", "usual"): async_usual,
            ("async, a new client", "ours"): new_ours,
            ("async, a new client", "usual"): new_usual,
        }
    finally:
        connection.close()
        client.close()
        runner.run(async_client.close())
        runner.run(catalog.close())


def _hear_socket(listener: Listener, connection: socket.socket) -> None:
    connection.sendall(http1.request("/v1/chat/completions", stream=0))
    received = b""
    while not received.endswith(b"0\r\n\r\n"):
        received += (piece := connection.recv(65_536))
        # A chunk is one write and one read, so none of its text is cut.
        listener.hear("".join(found[0] for found in STAMP.finditer(piece.decode())))


def _hear_chunks(listener: Listener, client: OpenAI) -> None:
    with client.chat.completions.create(model=_MODEL, messages=_MESSAGES, stream=True) as stream:
        for chunk in stream:
            if chunk.choices:
                listener.hear(chunk.choices[0].delta.content or "")


async def _hear_chunks_async(listener: Listener, client: AsyncOpenAI) -> None:
    async with await client.chat.completions.create(
        model=_MODEL, messages=_MESSAGES, stream=True
    ) as stream:
        async for chunk in stream:
            if chunk.choices:
                listener.hear(chunk.choices[0].delta.content or "")


async def _hear_with_a_new_client(listener: Listener) -> None:
    async with AsyncOpenAI(max_retries=0) as client:
        await _hear_chunks_async(listener, client)


async def _hear_ours(listener: Listener, catalog: Catalog | None) -> None:
    async for text in async_stream_chat(_MESSAGES, catalog=catalog):
        listener.hear(text)


def _listen(port: int, *, tokens: int, rounds: int) -> dict[tuple[str, str], list[Heard]]:
    heard: dict[tuple[str, str], list[Heard]] = {}
    chance = random.Random(0)
    with asyncio.Runner() as runner, _ways(port, runner) as ways, ExitStack() as stack:
        for turn in range(rounds + 1):
            # In another order each time: what one leaves in the caches another must clear away.
            for (kind, who), read in chance.sample(list(ways.items()), len(ways)):
                listener = Listener()
                read(listener)
                found = listener.finish(tokens, who=f"{kind}, {who}")
                if turn:  # the first one makes the connections, and imports what is imported late
                    heard.setdefault((kind, who), []).append(found)
            if not turn:
                # Else each collection would go through all that both libraries have imported.
                gc.collect()
                gc.freeze()
                stack.callback(gc.unfreeze)
    return heard


def _first_texts(heard: dict[tuple[str, str], list[Heard]]) -> list[Finding]:
    figures: dict[str, dict[str, float]] = {}
    for (kind, who), answers in heard.items():
        first_ms = median(answer.first_s * 1000 for answer in answers if answer.first_s)
        figures.setdefault(f"first text, {kind}", {})[who] = first_ms
    return [_finding(name, "ms", each, heard) for name, each in figures.items()]


def _delays(heard: dict[tuple[str, str], list[Heard]]) -> list[Finding]:
    """Return the delay of all tokens but the first ones, and what a token costs."""
    figures: dict[tuple[str, str], dict[str, float]] = {}
    for (kind, who), answers in heard.items():
        if "new client" in kind:
            continue
        delays_s = sorted(delay for answer in answers for delay in answer.delays_s[1:])
        for percent in (50, 99):
            of_percent = figures.setdefault((f"added delay, {kind}, p{percent}", "ms"), {})
            of_percent[who] = delays_s[len(delays_s) * percent // 100] * 1000
        costs_us = [answer.cpu_s * 1e6 / len(answer.delays_s) for answer in answers]
        figures.setdefault((f"CPU of an answer, {kind}", "µs/token"), {})[who] = median(costs_us)
    return [_finding(name, unit, each, heard) for (name, unit), each in figures.items()]


def _finding(
    name: str,
    unit: str,
    figures: dict[str, float],
    heard: dict[tuple[str, str], list[Heard]],
) -> Finding:
    answers = [answer for each in heard.values() for answer in each]
    share = sum(answer.waited_s for answer in answers) / sum(answer.took_s for answer in answers)
    is_doubtful = share > MAX_WAITED_SHARE
    waited = f"its threads waited for their core, used by others or one of them: {share:.0%}"
    notes = (waited,) if is_doubtful else ()
    return Finding(name=name, unit=unit, figures=figures, is_doubtful=is_doubtful, notes=notes)


_SCRIPTS: Final = {
    "ours": """
from tickertape import stream_chat
for text in stream_chat([{"role": "user", "content": "stream 0"}]):
    print(text)
""",
    "usual": """
from openai import OpenAI
for chunk in OpenAI().chat.completions.create(
    model="gpt-4o", messages=[{"role": "user", "content": "stream 0"}], stream=True
):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "")
""",
}


def _start_scripts(*, rounds: int) -> dict[str, list[float]]:
    """Return how long each script takes from the start of Python to its first text."""
    took: dict[str, list[float]] = {who: [] for who in _SCRIPTS}
    for turn in range(rounds + 1):
        for who, script in _SCRIPTS.items():
            first_s = _start_script(script, who=who)
            if turn:  # the first one reads the files, and writes the bytecode
                took[who].append(first_s)
    return took


def _start_script(script: str, *, who: str) -> float:
    started_s = time.monotonic()
    with subprocess.Popen([sys.executable, "-u", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while (line := process.stdout.readline()) == b"\n":
            pass
        first_s = time.monotonic() - started_s
        process.stdout.read()
    if process.returncode or not line:
        raise TextDiffers(f"{who}: the script ended with {process.returncode}")
    return first_s


def _script_finding(scripts: dict[str, list[float]]) -> Finding:
    return Finding(
        name="first text, a whole script",
        unit="ms",
        figures={who: median(took) * 1000 for who, took in scripts.items()},
    )
