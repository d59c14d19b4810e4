"""Our Python reader, as people use it: it reconnects, and raises when a run ends badly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from tests.chaos.reading import Reading
from tests.chaos.runs import PlannedRun
from tickertape.client.reader import async_cancel_run, async_start_run, async_tail_run
from tickertape.client.text_stream import AsyncTextStream
from tickertape.core.errors import RunCancelled, RunFailed, TickertapeError
from tickertape.core.request import ChatRequest, Message
from tickertape.core.retry import Backoff

BACKOFF: Final = Backoff(first_s=0.1, longest_s=1.0, max_retries=200)
"""Hurries, and does not give up before the storm does."""

_RETRY_S: Final = 0.2


def request_for(run: PlannedRun) -> ChatRequest:
    """Return what every start of the run asks for."""
    return ChatRequest(
        messages=[Message(role="user", content="Go on")], model=f"openai/{run.model}"
    )


async def start_and_read(
    url: str, run: PlannedRun, reading: Reading, *, knows_id: Callable[[str], None]
) -> None:
    """Start the run under its key, and read it to its end."""
    stream = async_start_run(url, request_for(run), idempotency_key=run.key, backoff=BACKOFF)
    await _read(stream, reading, knows_id)


async def join(url: str, run_id: str, reading: Reading) -> None:
    """Read the run from its beginning to its end."""
    await _read(async_tail_run(url, run_id, backoff=BACKOFF), reading, lambda _: None)


async def join_after_document(url: str, run_id: str, reading: Reading) -> None:
    """Take the run as it stands, and go on from there."""
    document = await describe(url, run_id)
    reading.text = document["content"]
    reading.cursor = str(document["cursor"])
    stream = async_tail_run(url, run_id, after=document["cursor"], backoff=BACKOFF)
    await _read(stream, reading, lambda _: None)


async def describe(url: str, run_id: str) -> dict[str, Any]:
    """Return the run's document, however often it takes to get it whole."""
    while True:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            try:
                async with session.get(
                    f"{url}/chat/stream/{run_id}", headers={"Accept": "application/json"}
                ) as reply:
                    if reply.status == 200:
                        return await reply.json()
                    if reply.status < 500:
                        raise AssertionError(f"status {reply.status}: {await reply.text()}")
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
        await asyncio.sleep(_RETRY_S)


async def cancel(url: str, run_id: str) -> str:
    """Cancel the run, and return in what phase it is as soon as that is acknowledged."""
    await async_cancel_run(url, run_id, backoff=BACKOFF)
    return (await describe(url, run_id))["phase"]


async def _read(stream: AsyncTextStream, reading: Reading, knows_id: Callable[[str], None]) -> None:
    try:
        async with stream:
            async for text in stream:
                reading.text += text
                _note(stream, reading, knows_id)
        reading.ending = "completed"
    except RunFailed as error:
        reading.ending = "failed"
        _check_partial(error.partial_text, stream, reading)
    except RunCancelled as error:
        reading.ending = "cancelled"
        _check_partial(error.partial_text, stream, reading)
    except TickertapeError as error:
        reading.trouble = f"{type(error).__name__}: {error}"
    finally:
        _note(stream, reading, knows_id)


def _note(stream: AsyncTextStream, reading: Reading, knows_id: Callable[[str], None]) -> None:
    started = stream.response.state.started
    if started is not None and reading.run_id is None:
        reading.run_id = started.run_id
        knows_id(started.run_id)


def _check_partial(partial_text: str, stream: AsyncTextStream, reading: Reading) -> None:
    if partial_text != stream.response.content:
        reading.trouble = "the error's partial text is not what was handed out"
