"""What is written of a provider's stream, and what is not."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import msgspec
import pytest

from tests.providers.canned import DONE, REQUEST, CannedProvider, sse
from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.core.request import ChatRequest
from tickertape.providers.azure import AzureProvider
from tickertape.providers.base import StreamEnd
from tickertape.providers.http import HttpTransport
from tickertape.providers.recording import RecordingFiles, RecordingProvider
from tickertape.providers.recording_file import load_recording
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.choice_stream import EndPolicy
from tickertape.providers.translators.completions import CompletionsTranslator
from tickertape.providers.translators.responses import ResponsesTranslator
from tickertape.testing.fault_server import Faults, FaultServer, Rejection
from tickertape.testing.scripted import ScriptedProvider

virtual_time = pytest.mark.virtual_time

TOLD = 1795415400.25
ERROR = ProviderError(
    "rate_limited",
    "try later",
    detail="the key sk-1 of alice",
    status=429,
    retry_after_s=2.5,
    is_retryable=True,
)
WRITTEN_ERROR = {
    "code": "rate_limited",
    "message": "try later",
    "detail": "[redacted]",
    "status": 429,
    "retry_after_s": 2.5,
    "is_retryable": True,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.jsonl"


def recording(provider, path, **settings):
    return RecordingProvider(provider, path, now=lambda: TOLD, **settings)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


async def drained(stream):
    """Read to the end of file."""
    chunks = []
    while chunk := await stream.read():
        chunks.append(chunk)
    return chunks


@virtual_time
async def test_each_read_is_a_line(path):
    """With the bytes as they were cut, and when they came."""
    first, second = sse("Hel", "👋")[:-40], sse("Hel", "👋")[-40:]
    provider = recording(
        CannedProvider((0.5, first), (1, "👋".encode()[:2]), (0, second), opens_after_s=2), path
    )
    stream = await provider.open(REQUEST)
    assert [first, "👋".encode()[:2], second] == await drained(stream)
    stream.close()
    header, *reads, end = lines(path)
    assert {
        "tickertape_recording": 1,
        "recorded_at": "2026-11-23T06:30:00+00:00",
        "provider": "canned",
        "model": "m",
        "api": "chat_completions",
        "end_policy": "finish_reason",
        "expected_choices": 1,
        "request": {"messages": [{"role": "user", "content": "[redacted]"}], "model": "m"},
        "response": {"t": 2.0},
    } == header
    assert [
        {"t": 2.5, "data": first.decode()},
        {"t": 3.5, "data": {"base64": "8J8="}},
        {"t": 3.5, "data": second.decode()},
    ] == reads
    assert {"t": 3.5, "end": "end_of_file"} == end


@virtual_time
async def test_a_crash_leaves_what_was_read(path):
    """Each line is in the file before the bytes are handed on."""
    stream = await recording(CannedProvider((1, b"a"), (1, b"b")), path).open(REQUEST)
    assert () == load_recording(path).reads
    await stream.read()
    await stream.read()
    recorded = load_recording(path)
    assert ([b"a", b"b"], None) == ([read.data for read in recorded.reads], recorded.end)
    stream.close()


@virtual_time
async def test_closing_early_is_told(path):
    """Once, and when; the read that waited ends, and adds nothing."""
    inner = CannedProvider((1, b"a"), (100, b"b"))
    stream = await recording(inner, path).open(REQUEST)
    await stream.read()
    waiting = asyncio.create_task(stream.read())
    await asyncio.sleep(3)
    stream.close()
    stream.close()
    assert b"" == await waiting
    assert inner.stream.closings
    assert [{"t": 1.0, "data": "a"}, {"t": 4.0, "end": "closed"}] == lines(path)[1:]


@virtual_time
async def test_a_broken_connection_is_told(path):
    """With the error as a reader may see it, and not in the provider's own words."""
    stream = await recording(CannedProvider((1, b"a"), (1, ERROR)), path).open(REQUEST)
    await stream.read()
    with pytest.raises(ProviderError) as caught:
        await stream.read()
    stream.close()
    assert caught.value is ERROR
    assert [{"t": 2.0, "end": "broken", "error": WRITTEN_ERROR}] == lines(path)[2:]


@virtual_time
async def test_a_refusal_is_recorded(path):
    """It is an answer, too."""
    with pytest.raises(ProviderError) as caught:
        await recording(CannedProvider(ERROR, opens_after_s=1), path).open(REQUEST)
    assert caught.value is ERROR
    header, end = lines(path)
    assert ("other", None) == (header["api"], header["response"])
    assert {"t": 1.0, "end": "refused", "error": WRITTEN_ERROR} == end


@pytest.mark.parametrize(
    ("make_translator", "expected"),
    [
        (
            lambda: ChatCompletionsTranslator(
                end_policy=EndPolicy.DONE_IS_ENOUGH, expected_choices=3
            ),
            ("chat_completions", "done_is_enough", 3),
        ),
        (lambda: CompletionsTranslator(expected_choices=2), ("completions", "finish_reason", 2)),
        (ResponsesTranslator, ("responses", None, 1)),
    ],
)
async def test_who_understands_the_bytes_is_told(path, make_translator, expected):
    """So that a replay judges the end as the provider's stream did."""
    stream = await recording(CannedProvider(translator=make_translator), path).open(REQUEST)
    stream.close()
    header = lines(path)[0]
    assert expected == (header["api"], header["end_policy"], header["expected_choices"])


async def test_a_foreign_provider_is_recorded_as_well(path):
    """Only who understands it can't be told."""
    provider = ScriptedProvider()
    provider.stream.send("Hi", end=StreamEnd())
    stream = await recording(provider, path).open(REQUEST)
    assert stream.translator is provider.stream.translator
    await stream.read()
    stream.close()
    assert ("other", None) == (lines(path)[0]["api"], lines(path)[0]["end_policy"])
    assert "." == lines(path)[1]["data"]


@virtual_time
async def test_another_connection_is_marked(path):
    """A background response that was taken up again forgets half an event there."""

    class Resuming(ResponsesTranslator):
        """Is told of another connection with each second read."""

    translator = Resuming()
    inner = CannedProvider((1, b"a"), (1, b"b"), (1, b"c"), translator=lambda: translator)
    stream = await recording(inner, path).open(REQUEST)
    await stream.read()
    translator.resume()
    await stream.read()
    await stream.read()
    stream.close()
    assert [None, True, None] == [line.get("resumed") for line in lines(path)[1:4]]


FULL = {
    "messages": [
        {"role": "system", "content": "SECRET"},
        {"role": "user", "content": [{"type": "text", "text": "SECRET"}], "name": "SECRET"},
        {"role": "assistant", "tool_calls": [{"id": "SECRET"}], "refusal": "SECRET"},
        {"role": "tool", "content": "SECRET", "tool_call_id": "SECRET"},
    ],
    "model": "m",
    "max_tokens": 1,
    "max_completion_tokens": 2,
    "temperature": 0.5,
    "top_p": 0.25,
    "n": 2,
    "stop": ["SECRET"],
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "reasoning_effort": "low",
    "response_format": {"type": "SECRET"},
    "tools": [{"name": "SECRET"}],
    "tool_choice": {"name": "SECRET"},
    "parallel_tool_calls": True,
    "user": "SECRET",
}


async def test_p10_a_prompt_is_not_recorded(path):
    """Roles and numbers are kept, nobody's words. A new field has to be thought about here."""
    assert FULL.keys() == set(ChatRequest.__struct_fields__)
    (await recording(CannedProvider(), path).open(msgspec.convert(FULL, ChatRequest))).close()
    assert "SECRET" not in path.read_text()
    request = lines(path)[0]["request"]
    assert [
        {"role": role, "content": "[redacted]"} for role in ("system", "user", "assistant", "tool")
    ] == request.pop("messages")
    blotted = {name for name, value in request.items() if value == "[redacted]"}
    assert {"stop", "response_format", "tools", "tool_choice", "user"} == blotted
    kept = request.keys() - blotted
    assert {name: FULL[name] for name in kept} == {name: request[name] for name in kept}


async def test_a_prompt_can_be_kept(path):
    """Where somebody says so."""
    request = msgspec.convert(FULL, ChatRequest)
    (await recording(CannedProvider(), path, keep_prompts=True).open(request)).close()
    assert msgspec.to_builtins(request) == lines(path)[0]["request"]


async def test_p10_no_key_is_recorded(path):
    """Nor what else a response's headers may tell; how it was sent is kept."""
    headers = {"Set-Cookie": "session=SECRET", "x-request-id": "SECRET", "x-ms-region": "Norway"}
    faults = Faults(headers=headers)
    async with HttpTransport() as transport, FaultServer(faults) as server:
        provider = AzureProvider(
            transport, endpoint=server.azure_endpoint, api_key=server.api_key, api_version="v1"
        )
        stream = await recording(provider, path, keep_prompts=True).open(REQUEST)
        await stream.read()
        stream.close()
        key = server.api_key
    response = lines(path)[0]["response"]
    assert (200, "Norway") == (response["status"], response["headers"]["x-ms-region"])
    assert "text/event-stream; charset=utf-8" == response["headers"]["content-type"]
    for secret in (key, "SECRET"):
        assert secret not in path.read_text()


async def test_p10_the_providers_words_about_a_refusal_are_not_recorded(path):
    """They may hold keys, prompts and names."""
    faults = Faults(failure=Rejection(status=400, body='{"error":{"message":"SECRET"}}'))
    async with HttpTransport() as transport, FaultServer(faults) as server:
        provider = AzureProvider(
            transport, endpoint=server.azure_endpoint, api_key=server.api_key, api_version="v1"
        )
        with pytest.raises(ProviderError) as caught:
            await recording(provider, path).open(REQUEST)
    assert "SECRET" in caught.value.detail
    assert "SECRET" not in path.read_text()
    assert 400 == lines(path)[1]["error"]["status"]


async def test_a_header_that_is_no_text_is_legible(path):
    """Bytes that are not UTF-8 come as halves of surrogate pairs, which JSON can not hold."""

    class Provider(CannedProvider):
        async def open(self, request):
            stream = await super().open(request)
            stream.status, stream.headers = 200, {"Server": "caf\udce9"}
            return stream

    (await recording(Provider(), path).open(REQUEST)).close()
    assert {"server": "caf\ufffd"} == lines(path)[0]["response"]["headers"]


async def test_each_stream_has_its_own_file(path):
    """A second question, another attempt: nothing is overwritten, and no number taken twice."""
    taken = path.with_name("x.2.jsonl")
    taken.write_text("mine")
    files = RecordingFiles(path)
    one, other = recording(CannedProvider(), files), recording(CannedProvider(), files)
    first, second = await one.open(REQUEST), await other.open(REQUEST)
    second.close()
    first.close()
    assert [path, path.with_name("x.3.jsonl")] == files.made
    assert [2, 2] == [len(lines(each)) for each in files.made]
    assert "mine" == taken.read_text()


async def test_a_file_may_be_overwritten_where_that_is_said(path, tmp_path):
    """When there is something to write, and only the one that was named."""
    second = path.with_name("x.2.jsonl")
    for each in (path, second):
        each.write_text("mine")
    files = RecordingFiles(path, overwrites=True)
    assert "mine" == path.read_text()
    for _ in range(2):
        (await recording(CannedProvider(), files).open(REQUEST)).close()
    assert [path, path.with_name("x.3.jsonl")] == files.made
    assert [2, 2] == [len(lines(each)) for each in files.made]
    assert "mine" == second.read_text()
    with pytest.raises(ConfigurationError, match="exists already"):
        RecordingFiles(tmp_path, overwrites=True)


def test_a_file_that_is_there_is_not_overwritten(path, tmp_path):
    """That is told before anything is asked, and so is a folder that is missing."""
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match=r"x\.jsonl exists already"):
        RecordingFiles(path)
    with pytest.raises(ConfigurationError, match="no such folder"):
        RecordingFiles(tmp_path / "missing" / "x.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
async def test_a_full_disk_does_not_cost_the_answer(path, monkeypatch, caplog):
    """The recording stops, which is told once; the stream goes on."""
    monkeypatch.setattr(RecordingFiles, "create", lambda self: open("/dev/full", "wb"))  # noqa: PTH123, SIM115
    with caplog.at_level(logging.WARNING, "tickertape.providers"):
        stream = await recording(CannedProvider((0, b"a"), (0, b"b")), path).open(REQUEST)
        assert [b"a", b"b"] == await drained(stream)
        stream.close()
    assert ["the recording /dev/full stops here: No space left on device"] == caplog.messages


async def test_a_file_that_can_not_be_made_does_not_cost_the_answer(tmp_path, caplog):
    """The folder went away between the question and its answer."""
    folder = tmp_path / "soon gone"
    folder.mkdir()
    provider = recording(CannedProvider((0, b"a")), folder / "x.jsonl")
    folder.rmdir()
    stream = await provider.open(REQUEST)
    assert [b"a"] == await drained(stream)
    stream.close()
    assert "No such file" in caplog.text
    assert [] == provider.files.made


async def test_it_stands_for_the_provider(path):
    """Its name, its line for the operator, its end."""
    inner = CannedProvider((0, sse("Hi", finish_reason="stop") + DONE))
    provider = recording(inner, path)
    assert "canned" == provider.name
    assert f"canned: as before, recorded to {path}" == provider.describe()
    await provider.close()
    assert 1 == inner.closings
    foreign = recording(ScriptedProvider(), path)
    assert f"scripted, recorded to {path}" == foreign.describe()
    await foreign.close()


async def test_no_file_is_made_for_a_request_that_was_never_sent(path):
    """An error of ours, or giving up before the provider's answer, is nothing to replay."""
    asking = asyncio.create_task(recording(CannedProvider(opens_after_s=9), path).open(REQUEST))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not path.exists()
