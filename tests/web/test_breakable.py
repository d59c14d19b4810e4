"""Streams that are slowed, stalled and broken off on command."""

from __future__ import annotations

import asyncio

import pytest

from tickertape.core.errors import InvalidRequest, ProviderError
from tickertape.providers.base import Route
from tickertape.testing.scripted import ScriptedProvider
from tickertape.web.breakable import (
    BURST_PAUSE_S,
    SLOW_BYTES,
    SLOW_PAUSE_S,
    BreakableModels,
    BreakableProvider,
    BreakableStream,
    Breakage,
    WriterLost,
)

pytestmark = pytest.mark.virtual_time

BROKEN = ProviderError("truncated", "The answer broke off.")


class Bytes:
    """A stream of bytes that a test puts in."""

    translator = None

    def __init__(self):
        self.is_closed = False
        self.arrived = asyncio.Queue()

    async def read(self):
        chunk = b"" if self.is_closed else await self.arrived.get()
        while not self.arrived.empty():
            chunk += self.arrived.get_nowait()
        return chunk

    def close(self):
        self.is_closed = True
        self.arrived.put_nowait(b"")


@pytest.fixture
def inner():
    return Bytes()


@pytest.fixture
def breakage():
    return Breakage()


@pytest.fixture
def stream(inner, breakage):
    return BreakableStream(inner, breakage)


async def test_left_alone_it_gives_what_the_other_stream_gives(stream, inner):
    """Read by read, and the end of file."""
    inner.arrived.put_nowait(b"one")
    assert b"one" == await stream.read()
    inner.arrived.put_nowait(b"")
    assert b"" == await stream.read()


async def test_a_stalled_stream_gives_nothing_until_it_may_go_on(stream, inner, breakage):
    """What had come by then is not lost."""
    assert breakage.set_pace("stalled")
    inner.arrived.put_nowait(b"one")
    reading = asyncio.ensure_future(stream.read())
    await asyncio.sleep(3600)
    assert not reading.done()
    breakage.set_pace("normal")
    assert b"one" == await reading


async def test_a_stalled_stream_ends_when_it_is_closed(stream, inner, breakage):
    """As a provider's silence ends with its connection: this is how a deadline stops it."""
    breakage.set_pace("stalled")
    inner.arrived.put_nowait(b"one")
    reading = asyncio.ensure_future(stream.read())
    await asyncio.sleep(1)
    stream.close()
    assert b"" == await reading
    assert inner.is_closed


@pytest.mark.parametrize("error", [BROKEN, WriterLost("lost")], ids=["provider", "writer"])
@pytest.mark.parametrize("is_stalled", [False, True], ids=["waiting", "stalled"])
async def test_breaking_off_ends_a_read_that_waits(stream, inner, breakage, error, is_stalled):
    """With that error, wherever it waits; and the other stream is closed."""
    if is_stalled:
        breakage.set_pace("stalled")
        inner.arrived.put_nowait(b"one")
    reading = asyncio.ensure_future(stream.read())
    await asyncio.sleep(1)
    assert breakage.break_off(error)
    with pytest.raises(type(error)) as raised:
        await reading
    assert error is raised.value
    assert inner.is_closed


async def test_a_slow_stream_gives_little_at_a_time(stream, inner, breakage):
    """All of it, in order, and each piece after a pause."""
    breakage.set_pace("slow")
    sent = bytes(range(256)) * 3
    inner.arrived.put_nowait(sent)
    began_s = asyncio.get_running_loop().time()
    received = [await stream.read() for _ in range(3)]
    assert sent == b"".join(received)
    assert {SLOW_BYTES} == set(map(len, received))
    assert pytest.approx(3 * SLOW_PAUSE_S) == asyncio.get_running_loop().time() - began_s


async def test_what_was_held_back_comes_when_it_need_not_be_slow_any_more(stream, inner, breakage):
    """In one read, before anything else."""
    breakage.set_pace("slow")
    inner.arrived.put_nowait(b"a" * SLOW_BYTES + b"rest")
    await stream.read()
    breakage.set_pace("normal")
    inner.arrived.put_nowait(b"more")
    assert b"rest" == await stream.read()
    assert b"more" == await stream.read()


async def test_bursts_bring_at_once_what_came_meanwhile(stream, inner, breakage):
    """After a pause."""
    breakage.set_pace("bursts")
    reading = asyncio.ensure_future(stream.read())
    for piece in (b"one ", b"two "):
        await asyncio.sleep(BURST_PAUSE_S / 3)
        inner.arrived.put_nowait(piece)
    assert b"one two " == await reading


async def test_without_a_stream_there_is_nothing_to_break(stream, breakage):
    """Nor does the next one begin broken."""
    stream.close()
    assert not breakage.set_pace("stalled")
    assert not breakage.break_off(BROKEN)
    assert "normal" == breakage.pace


class OneModel:
    """A catalog that knows one provider."""

    def __init__(self):
        self.provider = ScriptedProvider(name="own")

    def routes(self, model):
        if model not in {"", "m"}:
            raise InvalidRequest(f"there is no model {model!r}", param="model")
        return [Route(self.provider, "m")]

    def names(self):
        return ["own/m"]


@pytest.fixture
def models():
    return BreakableModels(OneModel(), ScriptedProvider(name="faults"), ["stall"])


def named(routes):
    return [(route.provider.name, route.model) for route in routes]


async def test_all_models_can_be_named(models):
    """Alone or in a list; the other provider's by its prefix, which it never sees."""
    assert ["own/m", "faults/stall"] == models.names()
    assert [("own", "m")] == named(models.routes(""))
    assert [("faults", "reset")] == named(models.routes("faults/reset"))
    assert [("faults", "reset"), ("own", "m")] == named(models.routes("faults/reset, m"))
    with pytest.raises(InvalidRequest):
        models.routes("faults/reset,unknown")


async def test_the_routes_of_one_start_share_their_breakage_and_no_others(models):
    """So an answer is found by its run, whichever route gave it."""
    first, second = models.routes("faults/reset,m")
    assert isinstance(first.provider, BreakableProvider)
    assert first.provider.breakage is second.provider.breakage
    assert first.provider.breakage is not models.routes("m")[0].provider.breakage
