"""Text streams: text in order, a truthful end, and nothing left open."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import threading
import weakref

import pytest

from tickertape.client.chat import async_stream_chat, stream_chat
from tickertape.client.text_stream import AsyncTextStream, TextStream
from tickertape.core.errors import RunCancelled, RunFailed, TickertapeError
from tickertape.core.events import (
    ReasoningDelta,
    RunEnded,
    RunError,
    RunStarted,
    TextDelta,
    Timings,
)
from tickertape.engine.background import background
from tickertape.testing.answers import Answer
from tickertape.testing.faults import EndOfFile, Faults, Stall

MESSAGES = [{"role": "user", "content": "Hi"}]
STARTED = RunStarted(run_id="r", model="m", provider="p", created_at=0.0)


def ended(outcome="completed", length=2, **fields):
    timings = Timings(first_progress_s=0.0, duration_s=0.0)
    return RunEnded(outcome=outcome, length=length, timings=timings, **fields)


class ListedSource:
    """A source that hands out what a test lists, and says whether it was closed."""

    def __init__(self, *batches, detail=""):
        self.batches = list(batches)
        self.detail = detail
        self.opened = 0
        self.is_closed = False
        self.is_read = False
        self.cancels = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def next(self):
        assert not self.is_read
        self.is_read = True
        try:
            await self.may_go_on.wait()
            await asyncio.sleep(0)
            batch = self.batches.pop(0)
        finally:
            self.is_read = False
        if isinstance(batch, Exception):
            raise batch
        return batch

    def cancel(self, by):
        self.cancels.append(by)
        self.batches = [[ended("cancelled", cancelled_by=by)]]
        self.may_go_on.set()

    async def open(self):
        self.opened += 1
        try:
            yield self
        finally:
            self.is_closed = True


@pytest.fixture
def ask(catalog):
    """Ask the scripted model."""
    return lambda **settings: async_stream_chat(MESSAGES, catalog=catalog, **settings)


async def test_text_comes_in_order_as_it_arrived():
    """Each piece is a non-empty string; other choices and other events are left out."""
    batches = [STARTED, TextDelta("a"), TextDelta("x", 1)], [ReasoningDelta("hm"), TextDelta("")]
    stream = AsyncTextStream(ListedSource(*batches, [TextDelta("b"), ended()]).open)
    assert ["a", "b"] == [text async for text in stream]


async def test_events_can_be_read_instead():
    """Every event shows, the start first and the end last."""
    events = [STARTED, TextDelta("ab"), ended()]
    stream = AsyncTextStream(ListedSource(events[:2], events[2:]).open)
    assert events == [event async for event in stream.events()]


async def test_nothing_is_opened_before_the_first_piece_is_asked_for():
    """Making a stream, entering it and leaving it send nothing."""
    source = ListedSource([STARTED, TextDelta("ab"), ended()])
    async with AsyncTextStream(source.open):
        pass
    assert source.opened == 0


async def test_the_response_grows_piece_by_piece():
    """A batch may bring several pieces; the response knows only of those handed out."""
    stream = AsyncTextStream(ListedSource([STARTED, TextDelta("a"), TextDelta("b"), ended()]).open)
    seen = [(text, stream.response.content) async for text in stream]
    assert [("a", "a"), ("b", "ab")] == seen


async def test_the_source_is_closed_with_the_end_of_the_iteration():
    """Whoever reads to the end leaves nothing open, and needs no `async with`."""
    source = ListedSource([STARTED, TextDelta("ab"), ended()])
    stream = AsyncTextStream(source.open)
    assert ["ab"] == [text async for text in stream]
    assert source.is_closed


async def test_the_last_text_does_not_wait_for_the_connection():
    """It is handed out first; tidying up may take a moment."""
    source = ListedSource([STARTED, TextDelta("ab"), ended()])
    stream = AsyncTextStream(source.open)
    assert await anext(stream) == "ab"
    assert not source.is_closed


async def test_a_stream_that_has_ended_stays_ended():
    """Asking again opens nothing."""
    source = ListedSource([STARTED, ended(length=0)])
    stream = AsyncTextStream(source.open)
    assert [[], []] == [[text async for text in stream] for _ in range(2)]
    assert source.opened == 1


async def test_p2_a_failed_run_raises_after_its_last_piece():
    """The text before it is handed out, and is on the error; every further try raises too."""
    failure = RunError(code="truncated", message="The answer broke off.")
    source = ListedSource([STARTED, TextDelta("ab"), ended("failed", error=failure)], detail="eof")
    stream = AsyncTextStream(source.open)
    assert await anext(stream) == "ab"
    for _ in range(2):
        with pytest.raises(RunFailed, match=r"truncated: The answer broke off\. \(eof\)") as caught:
            await anext(stream)
        assert ("ab", "truncated") == (caught.value.partial_text, caught.value.error.code)
    assert stream.response.outcome == "failed"


async def test_p2_an_error_of_the_source_raises_every_time():
    """What can't be read does not end quietly at the second try."""
    source = ListedSource([STARTED, TextDelta("ab")], TickertapeError("gone"))
    stream = AsyncTextStream(source.open)
    assert await anext(stream) == "ab"
    for _ in range(2):
        with pytest.raises(TickertapeError, match="gone"):
            await anext(stream)
    assert source.is_closed


async def test_cancelling_ends_quietly(ask, provider):
    """One's own stop is no error; the text so far stays, and the connection is closed."""
    stream = ask()
    provider.stream.send("Hel")
    assert await anext(stream) == "Hel"
    stream.cancel()
    assert [text async for text in stream] == []
    assert ("cancelled", "Hel") == (stream.response.outcome, stream.response.content)
    assert provider.stream.is_closed


async def test_p4_cancelling_ends_a_wait(ask, provider):
    """Another task cancels while the model is silent."""
    stream = ask()
    provider.stream.send("Hel")
    assert await anext(stream) == "Hel"
    waiting = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    stream.cancel()
    assert await waiting is None


async def test_cancelling_before_the_beginning_sends_nothing(ask, provider):
    """The outcome is the same."""
    stream = ask()
    stream.cancel()
    assert [text async for text in stream] == []
    assert ("cancelled", []) == (stream.response.outcome, provider.requests)


async def test_cancelling_works_from_another_thread(ask, provider):
    """A stop button lives in a thread of its own."""
    stream = ask()
    provider.stream.send("Hel")
    assert await anext(stream) == "Hel"
    threading.Thread(target=stream.cancel).start()
    assert [text async for text in stream] == []


async def test_a_run_that_somebody_else_cancelled_raises():
    """It is not whole, and this reader did not ask for that."""
    end = ended("cancelled", cancelled_by="shutdown")
    stream = AsyncTextStream(ListedSource([STARTED, TextDelta("ab"), end]).open)
    with pytest.raises(RunCancelled, match="shutdown") as caught:
        async for _ in stream:
            pass
    assert caught.value.partial_text == "ab"


async def test_leaving_the_context_closes_the_connection(ask, provider):
    """The provider stops; what the answer was to be is not known."""
    async with ask() as stream:
        provider.stream.send("Hel")
        assert await anext(stream) == "Hel"
    assert provider.stream.is_closed
    assert stream.response.outcome is None
    assert [text async for text in stream] == []


async def test_closing_drops_what_was_not_read():
    """A stream that was left says nothing more, even of what it has."""
    source = ListedSource([STARTED, TextDelta("a"), TextDelta("b")], [ended()])
    stream = AsyncTextStream(source.open)
    assert await anext(stream) == "a"
    await stream.close()
    assert [text async for text in stream] == []


async def test_closing_ends_a_wait_in_another_task(ask, provider):
    """The other task's iteration ends quietly."""
    stream = ask()
    provider.stream.send("Hel")
    assert await anext(stream) == "Hel"
    waiting = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    await stream.close()
    assert await waiting is None


async def test_dropping_a_stream_closes_its_connection(ask, provider):
    """A loop that is left early needs no `async with`."""
    provider.stream.send("Hel")
    async for text in ask():
        assert text == "Hel"
        break
    gc.collect()
    while not provider.stream.is_closed:
        await asyncio.sleep(0)


async def test_a_wait_that_was_given_up_loses_nothing(ask, provider):
    """After a timeout the stream goes on; it does not look as if it had ended."""
    stream = ask()
    provider.stream.send("Hel")
    assert await anext(stream) == "Hel"
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    provider.stream.finish("lo")
    assert ["lo"] == [text async for text in stream]
    assert len(provider.requests) == 1


async def test_p7_a_first_wait_that_was_given_up_sends_nothing_twice(ask, provider):
    """A model may think for long; asking again goes on with the same request."""
    provider.may_open.clear()
    stream = ask()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await anext(stream)
    provider.may_open.set()
    provider.stream.finish("Hello")
    assert ["Hello"] == [text async for text in stream]
    assert len(provider.requests) == 1


async def test_a_first_wait_that_was_given_up_can_be_left(ask, provider):
    """Nothing goes on behind a stream that was closed."""
    provider.may_open.clear()
    stream = ask()
    waiting = asyncio.ensure_future(anext(stream))
    while not provider.requests:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await stream.close()
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_two_tasks_may_share_a_stream():
    """Each piece goes to one of them; only one at a time waits for the source."""
    source = ListedSource([STARTED, TextDelta("a")], [TextDelta("b")], [ended()])
    stream = AsyncTextStream(source.open)
    assert {"a", "b"} == set(await asyncio.gather(anext(stream), anext(stream)))


def test_a_stream_belongs_to_one_event_loop():
    """In another one it says so, in place of waiting for ever."""
    stream = AsyncTextStream(ListedSource([STARTED, TextDelta("a")], [ended()]).open)

    async def first():
        assert await anext(stream) == "a"

    async def second():
        with pytest.raises(TickertapeError, match="another event loop"):
            await anext(stream)
        await stream.close()

    asyncio.run(first())
    asyncio.run(second())


def test_a_loop_that_ends_closes_the_streams_that_were_left(catalog, provider):
    """No unclosed connection is left behind by a program that did not read to the end."""

    async def read_one():
        stream = async_stream_chat(MESSAGES, catalog=catalog)
        provider.stream.send("Hel")
        assert await anext(stream) == "Hel"
        return stream

    stream = asyncio.run(read_one())
    assert provider.stream.is_closed
    stream.cancel()  # no error, although the loop has gone


# The sync stream, against a real server.


def test_sync_text_comes_in_order_as_it_arrived(fault_server):
    """The whole answer, and what is known of it."""
    fault_server.play(Answer(text=("Hel", "lo")))
    stream = stream_chat(MESSAGES)
    assert "Hello" == "".join(stream)
    response = stream.response
    assert ("Hello", "stop", "completed") == (
        response.content,
        response.finish_reason,
        response.outcome,
    )
    assert response.usage.output_tokens == 2


def test_sync_events_can_be_read_instead(fault_server):
    """Start first, end last."""
    kinds = [type(event) for event in stream_chat(MESSAGES).events()]
    assert (RunStarted, RunEnded) == (kinds[0], kinds[-1])


def test_sync_streams_take_a_batch_for_each_hop(fault_server):
    """Pieces that arrived together cost one wait for the background loop."""
    source = ListedSource([STARTED, *[TextDelta(str(n)) for n in range(9)], ended()])
    stream = TextStream(source.open)
    assert next(stream) == "0"
    source.batches.clear()
    assert list("12345678") == list(stream)


def test_p2_sync_streams_that_were_cut_raise(fault_server):
    """The partial text is on the error."""
    fault_server.play(Faults(failure=EndOfFile(after_chunks=3)))
    stream = stream_chat(MESSAGES)
    with pytest.raises(RunFailed, match="truncated") as caught:
        list(stream)
    assert caught.value.partial_text == stream.response.content != ""


def test_sync_streams_close_the_connection_when_dropped(fault_server):
    """A `for` loop that is left early needs no `with`."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    for _ in stream_chat(MESSAGES):
        break
    assert fault_server.next_exchange().result().hung_up().result() == 3


def test_sync_streams_close_the_connection_with_their_context(fault_server):
    """Even while somebody still holds the stream."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    with stream_chat(MESSAGES) as stream:
        next(stream)
    assert fault_server.next_exchange().result().hung_up().result() == 3
    assert [] == list(stream)


def test_p4_sync_streams_are_cancelled_from_another_thread(fault_server):
    """The wait ends quietly, although the model is silent."""
    fault_server.play(Faults(failure=Stall(after_chunks=3)))
    stream = stream_chat(MESSAGES)
    next(stream)
    exchange = fault_server.next_exchange().result()
    exchange.stalled().result()
    canceller = threading.Thread(target=stream.cancel)
    canceller.start()
    assert [] == list(stream)
    canceller.join()
    assert stream.response.outcome == "cancelled"
    assert exchange.hung_up().result() == 3


class InterruptingSource(ListedSource):
    """A source whose second batch is not there yet when Ctrl-C is pressed, once."""

    calls = 0

    async def next(self):
        self.calls += 1
        if self.calls == 2:
            self.may_go_on.clear()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return await super().next()


def test_ctrl_c_interrupts_a_wait_and_loses_nothing():
    """Who catches it can go on reading, or leave."""
    source = InterruptingSource([STARTED, TextDelta("Hel")], [TextDelta("lo"), ended()])
    stream = TextStream(source.open)
    assert next(stream) == "Hel"
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    background.call(set_event(source.may_go_on))
    assert ["lo"] == list(stream)
    assert stream.response.outcome == "completed"


async def set_event(event):
    event.set()


async def test_sync_streams_work_inside_a_running_loop(fault_server):
    """As in a notebook, which runs one already."""
    assert "".join(stream_chat(MESSAGES))


def test_sync_streams_work_in_many_threads_at_once(fault_server):
    """They share the background loop."""
    texts = []
    threads = [
        threading.Thread(target=lambda: texts.append("".join(stream_chat(MESSAGES))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 8 == len(texts)
    assert 1 == len(set(texts))


def test_a_dropped_stream_is_collected(fault_server):
    """No cycle or registry keeps what was read to its end."""
    stream = stream_chat(MESSAGES)
    list(stream)
    reference = weakref.ref(stream)
    del stream
    assert reference() is None
