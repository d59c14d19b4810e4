"""A replay is the recorded stream again: the same bytes, cuts, errors, and time."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.providers.canned import DONE, REQUEST, CannedProvider, sse
from tickertape.core.deadlines import Deadlines
from tickertape.core.errors import ConfigurationError, ProviderError
from tickertape.core.events import RunEnded, RunStarted, TextDelta, Usage
from tickertape.core.request import CompletionRequest
from tickertape.engine.engine import Engine
from tickertape.engine.step import Step
from tickertape.logs.memory import MemoryLog
from tickertape.providers.base import Route, StreamEnd
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import OpenAIProvider
from tickertape.providers.recording import RecordingProvider
from tickertape.providers.recording_file import load_recording
from tickertape.providers.replay import FULL_SPEED, ReplayProvider
from tickertape.providers.translators.chat_completions import ChatCompletionsTranslator
from tickertape.providers.translators.choice_stream import EndPolicy
from tickertape.providers.translators.completions import CompletionsTranslator
from tickertape.providers.translators.responses import ResponsesTranslator
from tickertape.testing.fault_catalog import fault_catalog
from tickertape.testing.fault_server import Answer, EndOfFile, Faults, FaultServer, Reset
from tickertape.testing.scripted import ScriptedTranslator

virtual_time = pytest.mark.virtual_time

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "recordings"
SPEEDS = [0.5, 1.0, 4.0, FULL_SPEED]
ERROR = ProviderError("truncated", "it broke", detail="the key", is_retryable=True)
REFUSAL = ProviderError("rate_limited", "wait", status=429, retry_after_s=2.5, is_retryable=True)
HELLO = sse("Hel", "lo"), sse(" 👋")[:-30], sse(" 👋")[-30:] + sse(finish_reason="stop"), DONE


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.jsonl"


def now_s():
    return asyncio.get_running_loop().time()


async def recorded(path, *script, closes_after=None, **settings):
    """Record a script to its end of file, or so many reads; return what was read."""
    provider = RecordingProvider(CannedProvider(*script, **settings), path, now=lambda: 0.0)
    try:
        stream = await provider.open(REQUEST)
    except ProviderError:
        return []
    read = await played(stream, reads=closes_after)
    stream.close()
    return read


async def played(stream, *, reads=None):
    """Return what is read, as (seconds, bytes), until the end of file or an error."""
    begun_s = now_s()
    found: list[tuple[float, bytes]] = []
    try:
        while len(found) != reads and (chunk := await stream.read()):
            found.append((now_s() - begun_s, chunk))
    except ProviderError:
        pass
    return found


async def batches(provider, *, model="m", **deadlines):
    """Return what a step makes of an answer, batch by batch, and its end; timings are left out."""
    started = RunStarted(run_id="r", model=model, provider=provider.name, created_at=0.0)
    route = Route(provider, model)
    step = Step([route], REQUEST, started=started, deadlines=Deadlines(**deadlines))
    found = []
    while batch := await step.next():
        found.append([each for each in batch if not isinstance(each, RunEnded)])
    step.close()
    return found, outcome_of(step.state.ended)


def outcome_of(ended):
    return ended.outcome, ended.finish_reason, ended.error, ended.length, ended.usage


@virtual_time
@pytest.mark.parametrize("speed", SPEEDS)
async def test_the_events_are_those_of_the_recorded_run(path, speed):
    """Batch for batch, at whatever speed."""
    script = list(zip((0.5, 1.0, 0.0, 0.25), HELLO, strict=True))
    provider = RecordingProvider(CannedProvider(*script), path, now=lambda: 0.0)
    expected = await batches(provider)
    assert ("completed", "stop", None, 7, None) == expected[1]
    assert expected == await batches(ReplayProvider(path, speed=speed))


@virtual_time
@pytest.mark.parametrize("speed", SPEEDS)
async def test_it_takes_as_long_as_it_took(path, speed):
    """The status, and each read; twice the speed is half the time."""
    script = [(1.0, b"a"), (2.0, b"b"), (0.0, b"c"), (4.0, b"")]
    await recorded(path, *script, opens_after_s=8)
    begun_s = now_s()
    stream = await ReplayProvider(path, speed=speed).open(REQUEST)
    assert 8 / speed == now_s() - begun_s
    assert [(1 / speed, b"a"), (3 / speed, b"b"), (3 / speed, b"c")] == await played(stream)
    assert 15 / speed == now_s() - begun_s


@virtual_time
async def test_a_slow_reader_does_not_delay_what_follows(path):
    """The provider would not have waited; the cuts stay as they were."""
    await recorded(path, (1.0, b"a"), (1.0, b"b"), (1.0, b"c"))
    stream = await ReplayProvider(path).open(REQUEST)
    await asyncio.sleep(2.5)
    assert [(0.0, b"a"), (0.0, b"b"), (0.5, b"c")] == await played(stream)


async def test_others_run_between_two_reads(path):
    """As fast as possible is not alone: whoever wants to stop the replay gets his turn."""
    await recorded(path, *[(0, b"a")] * 100)
    stream = await ReplayProvider(path, speed=FULL_SPEED).open(REQUEST)
    reading = asyncio.create_task(played(stream))
    for _ in range(5):
        await asyncio.sleep(0)
    stream.close()
    assert 1 <= len(await reading) <= 5


@virtual_time
async def test_closing_ends_a_pending_read_at_once(path):
    """While it waits for its time; and no read after it brings anything."""
    await recorded(path, (1.0, b"a"), (100.0, b"b"))
    stream = await ReplayProvider(path).open(REQUEST)
    await stream.read()
    reading = asyncio.create_task(stream.read())
    await asyncio.sleep(3)
    stream.close()
    stream.close()
    assert (b"", b"", 4.0) == (await reading, await stream.read(), now_s() - 101.0)


@virtual_time
async def test_a_read_that_was_cancelled_loses_nothing(path):
    """Who asks again gets the same bytes, at the same time."""
    await recorded(path, (5.0, b"a"))
    stream = await ReplayProvider(path).open(REQUEST)
    begun_s = now_s()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await stream.read()
    assert (b"a", 5.0) == (await stream.read(), now_s() - begun_s)


@virtual_time
async def test_every_request_gets_the_whole_recording(path):
    """One beside another, whatever they ask."""
    await recorded(path, (1.0, b"a"), (1.0, b"b"))
    provider = ReplayProvider(path)
    first = await provider.open(REQUEST)
    await first.read()
    second = await provider.open(REQUEST)
    assert first.translator is not second.translator
    one, other = await asyncio.gather(played(first), played(second))
    assert ([b"b"], [b"a", b"b"]) == ([each for _, each in one], [each for _, each in other])


@virtual_time
@pytest.mark.parametrize("speed", SPEEDS)
async def test_a_broken_connection_breaks_again(path, speed):
    """With the same error, but for the provider's own words; again if it is asked again."""
    await recorded(path, (1.0, b"a"), (2.0, ERROR))
    begun_s = now_s()
    stream = await ReplayProvider(path, speed=speed).open(REQUEST)
    assert b"a" == await stream.read()
    for _ in range(2):
        with pytest.raises(ProviderError) as caught:
            await stream.read()
        assert same(ERROR) == same(caught.value)
        assert "[redacted]" == caught.value.detail
        assert 3 / speed == now_s() - begun_s


@virtual_time
async def test_a_refusal_refuses_again(path):
    """As late as it was, and each time it is asked."""
    await recorded(path, REFUSAL, opens_after_s=2)
    provider = ReplayProvider(path)
    for _ in range(2):
        begun_s = now_s()
        with pytest.raises(ProviderError) as caught:
            await provider.open(REQUEST)
        assert (same(REFUSAL), 2.0) == (same(caught.value), now_s() - begun_s)


def same(error):
    return error.code, str(error), error.status, error.retry_after_s, error.is_retryable


@virtual_time
async def test_p2_a_recording_that_stops_is_a_stream_that_was_cut(path):
    """Wherever its file was torn: never an answer that looks whole."""
    script = list(zip((0.5, 1.0, 0.0, 0.25), HELLO, strict=True))
    await recorded(path, *script)
    data = path.read_bytes()
    end_of_header, finish = data.index(b"\n") + 1, data.index(b"[DONE]")
    for cut in range(end_of_header, finish, 7):
        path.write_bytes(data[:cut])
        _, (outcome, finish_reason, error, *_) = await batches(ReplayProvider(path))
        is_whole = finish_reason == "stop"  # the model had said so; only [DONE] is missing
        assert ("completed" if is_whole else "failed") == outcome
        assert is_whole or error.code == "truncated"


@virtual_time
@pytest.mark.parametrize("speed", SPEEDS)
async def test_p2_an_answer_that_we_stopped_is_cut_there(path, speed):
    """What would have come is not known; when it ended is."""
    await recorded(path, (1.0, sse("Hel")), (9.0, sse("lo")), closes_after=1)
    begun_s = now_s()
    _, (outcome, _, error, length, _) = await batches(ReplayProvider(path, speed=speed))
    assert ("failed", "truncated", 3) == (outcome, error.code, length)
    assert 1 / speed == now_s() - begun_s


@virtual_time
async def test_deadlines_hold_for_a_replay(path):
    """A recorded silence is one; made short by speed, it is none."""
    await recorded(path, (1.0, sse("Hel")), (30.0, sse("lo", finish_reason="stop") + DONE))
    _, (_, _, error, *_) = await batches(ReplayProvider(path), stall_timeout_s=20)
    assert "stalled" == error.code
    _, (outcome, *_) = await batches(ReplayProvider(path, speed=2), stall_timeout_s=20)
    assert "completed" == outcome


@virtual_time
@pytest.mark.parametrize(
    ("translator", "end"),
    [
        (lambda: ChatCompletionsTranslator(end_policy=EndPolicy.DONE_IS_ENOUGH), StreamEnd()),
        (ChatCompletionsTranslator, None),
        (lambda: CompletionsTranslator(end_policy=EndPolicy.DONE_IS_ENOUGH), StreamEnd()),
        (CompletionsTranslator, None),
    ],
)
async def test_the_end_is_judged_as_it_was(path, translator, end):
    """`[DONE]` without a finish reason suffices where it did."""
    await recorded(path, (0, DONE), translator=translator)
    stream = await ReplayProvider(path).open(REQUEST)
    assert type(translator()) is type(stream.translator)
    stream.translator.feed(await stream.read())
    assert (stream.translator.end == StreamEnd()) is (end is not None)


@virtual_time
@pytest.mark.parametrize("expected", [1, 2])
@pytest.mark.parametrize("make", [ChatCompletionsTranslator, CompletionsTranslator])
async def test_as_many_choices_are_expected_as_were(path, make, expected):
    """One that never came is missed."""
    answer = b'data: {"choices":[{"index":0,"text":"","delta":{},"finish_reason":"stop"}]}\n\n'
    await recorded(path, (0, answer + DONE), translator=lambda: make(expected_choices=expected))
    stream = await ReplayProvider(path).open(REQUEST)
    stream.translator.feed(await stream.read())
    assert (stream.translator.end == StreamEnd()) is (expected == 1)


RESPONSE = (
    'data: {"type":"response.output_text.delta","sequence_number":1,"output_index":0,'
    '"content_index":0,"delta":"Hel"}\n\n'
)


@virtual_time
async def test_a_response_goes_on_over_another_connection(path):
    """Half an event at the end of the old one is forgotten there, as it was."""

    class Stream(ResponsesTranslator):
        """What a background stream does between two reads."""

    translator = Stream()
    inner = CannedProvider(
        (0, (RESPONSE + RESPONSE[:30]).encode()),
        (0, (RESPONSE + RESPONSE.replace(":1", ":2").replace("Hel", "lo")).encode()),
        translator=lambda: translator,
    )
    stream = await RecordingProvider(inner, path, now=lambda: 0.0).open(REQUEST)
    expected = translator.feed(await stream.read())
    translator.resume()
    expected += translator.feed(await stream.read())
    stream.close()
    assert [TextDelta("Hel"), TextDelta("lo")] == expected
    replayed = await ReplayProvider(path).open(REQUEST)
    assert isinstance(replayed.translator, ResponsesTranslator)
    assert expected == [
        event for _ in "ab" for event in replayed.translator.feed(await replayed.read())
    ]


@virtual_time
async def test_a_foreign_stream_needs_its_translator(path):
    """We can't know who understands it; whoever recorded it does."""
    await recorded(path, (0, b"a"), translator=ScriptedTranslator)
    with pytest.raises(ConfigurationError, match=r"x\.jsonl was recorded.*make_translator"):
        ReplayProvider(path)
    stream = await ReplayProvider(path, make_translator=ScriptedTranslator).open(REQUEST)
    assert isinstance(stream.translator, ScriptedTranslator)
    assert b"a" == await stream.read()


@pytest.mark.parametrize("speed", [0, -1, float("nan"), "fast", ""])
def test_a_speed_is_a_number_above_0(speed):
    """Else the error says what it may be."""
    with pytest.raises(ConfigurationError, match="speed must be a number above 0, or inf"):
        ReplayProvider(EXAMPLES / "hello.jsonl", speed=speed)


def test_a_file_that_is_none_is_told_when_it_is_named(tmp_path):
    """Not with the first question."""
    with pytest.raises(ConfigurationError, match=r"nothing\.jsonl can't be read"):
        ReplayProvider(tmp_path / "nothing.jsonl")


def test_it_says_what_it_plays():
    """For the operator."""
    provider = ReplayProvider(EXAMPLES / "hello.jsonl")
    assert ("replay", "hello") == (provider.name, provider.model)
    described = provider.describe()
    assert described.startswith("replay: hello, recorded from local/smollm2 at 2026-11-23T")


# These end by themselves, and soon.
ENDING = [
    name
    for name in fault_catalog().models
    if name not in {"slow", "bursts", "silent", "headers-only", "stall", "stall-with-heartbeats"}
]


@pytest.mark.parametrize("fault", ENDING)
async def test_whatever_a_provider_does_is_done_again(path, fault):
    """Every named fault of the fault server, from a real socket."""
    async with HttpTransport() as transport, FaultServer(fault_catalog()) as server:
        real = OpenAIProvider(
            transport,
            base_url=server.openai_base_url,
            api_key=server.api_key,
            end_policy=EndPolicy.FINISH_REASON,
        )
        provider = RecordingProvider(real, path, now=lambda: 0.0)
        expected = await batches(provider, model=fault)
    assert expected == await batches(ReplayProvider(path, speed=FULL_SPEED))


@pytest.mark.parametrize("failure", [None, Reset(after_bytes=1500), EndOfFile(after_bytes=1500)])
async def test_a_background_response_is_replayed_over_its_connections(path, failure):
    """Cut inside an event and taken up again: the replay forgets the same half."""
    turns = [Faults(failure=failure)] if failure else []
    async with HttpTransport() as transport, FaultServer(*turns, Answer(words=12)) as server:
        real = OpenAIProvider(
            transport,
            base_url=server.openai_base_url,
            api_key=server.api_key,
            api="responses",
            background=True,
        )
        expected = await batches(RecordingProvider(real, path, now=lambda: 0.0))
        await real.close()
    assert "completed" == expected[1][0]
    read = load_recording(path).reads
    assert (failure is not None) is any(each.is_resumed for each in read)
    assert expected == await batches(ReplayProvider(path, speed=FULL_SPEED))


async def test_a_plain_completion_is_replayed(path):
    """Another API, another request; its prompt is not recorded."""
    request = CompletionRequest(prompt=["SECRET", "SECRET"], suffix="SECRET", model="m")
    async with HttpTransport() as transport, FaultServer(Answer(text="Hel lo")) as server:
        real = OpenAIProvider(transport, base_url=server.openai_base_url, api_key=server.api_key)
        stream = await RecordingProvider(real, path, now=lambda: 0.0).open(request)
        expected = await events_of(stream)
    assert "SECRET" not in path.read_text()
    recording = load_recording(path)
    assert ("completions", 2) == (recording.header.api, recording.header.expected_choices)
    assert expected == await events_of(await ReplayProvider(path, speed=FULL_SPEED).open(request))


async def events_of(stream):
    found = []
    while stream.translator.end is None and (chunk := await stream.read()):
        found += stream.translator.feed(chunk)
    found += stream.translator.close()
    stream.close()
    return found, stream.translator.end


async def run_of(provider):
    """Return a whole run's batches, as a reader of the log sees them, and its outcome."""
    begun_s, found = now_s(), []
    async with Engine(MemoryLog(now=now_s)) as engine:
        created = await engine.start([Route(provider, provider.model)], REQUEST)
        async with await engine.tail(created.run_id) as tail:
            while not tail.is_over:
                found.append([record.event for record in await tail.next()])
    return found, outcome_of(found[-1][-1]), now_s() - begun_s


@virtual_time
async def test_the_recorded_hello():
    """The embedded model's answer, as it was."""
    found, ended, took_s = await run_of(ReplayProvider(EXAMPLES / "hello.jsonl"))
    assert ("hello", "replay") == (found[0][0].model, found[0][0].provider)
    assert "Hello, welcome to my blog!" == text_of(found)
    assert ("completed", "stop", None, 26, usage(44, 8, cached=0)) == ended
    assert 0.718034 == pytest.approx(took_s)


@virtual_time
@pytest.mark.parametrize("speed", SPEEDS)
async def test_the_recorded_bursts(speed):
    """Azure's manner: nothing, then eight chunks at a time."""
    provider = ReplayProvider(EXAMPLES / "azure-bursts.jsonl", speed=speed)
    found, ended, took_s = await run_of(provider)
    text = text_of(found)
    assert text.startswith("A ticker tape printed every price as it came, and kept the strip.")
    assert text.endswith("🎞️ Nobody had to ask twice, and nobody was told the same price twice.")
    assert ("completed", "stop", None, 321, usage(13, 64, cached=0, reasoning=0)) == ended
    assert 3.816985 / speed == pytest.approx(took_s)
    if speed != FULL_SPEED:  # else the reader of the log gets several bursts at once
        words = [len(text_of([batch]).split()) for batch in found]
        assert [0, 6, *[8] * 7, 2] == words


def usage(input_tokens, output_tokens, *, cached=None, reasoning=None):
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens,
        cached_input_tokens=cached,
        reasoning_tokens=reasoning,
    )


def text_of(found):
    return "".join(event.text for batch in found for event in batch if isinstance(event, TextDelta))


PAGE = (ROOT / "docs" / "record-and-replay.md").read_text(encoding="utf-8")
FIRST, WRAPPING, TESTING = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", [FIRST, TESTING], ids=["first", "testing"])
def test_the_examples_of_the_documentation_run(example, capsys, monkeypatch):
    """From the repository's folder, and with what the text promises."""
    monkeypatch.chdir(ROOT)
    exec(compile(example, "docs/record-and-replay.md", "exec"), {"__name__": "example"})
    told = capsys.readouterr().out
    assert ("Hello, welcome to my blog!" if example is FIRST else "outcome='completed'") in told


def test_the_documented_line_is_the_real_one(tmp_path):
    """What a broken file says."""
    path = tmp_path / "demo.jsonl"
    header, first, *_ = (EXAMPLES / "hello.jsonl").read_text().splitlines()
    path.write_text("\n".join([header, first, '{"t":1,"data":""}', ""]))
    with pytest.raises(ConfigurationError) as caught:
        ReplayProvider(path)
    assert str(caught.value).removeprefix(f"{tmp_path}/") in PAGE
