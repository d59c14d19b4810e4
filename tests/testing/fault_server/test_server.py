"""The server as a whole: starting, stopping, waiting, threads."""

import asyncio
import socket
import threading
import urllib.error
import urllib.request

import pytest
import uvloop

from tests.testing.fault_server.raw_client import answer, connected, events, text_of
from tickertape.core.errors import ConfigurationError
from tickertape.testing.fault_server import (
    Answer,
    Faults,
    FaultServer,
    Rejection,
    Reset,
    Stall,
    WaitedTooLong,
)
from tickertape.testing.fault_server.responder import Responder


async def test_it_says_where_it_is():
    """In the words of each client."""
    async with FaultServer(api_key="k") as server:
        base = f"http://127.0.0.1:{server.port}"
        assert (base, base) == (server.url, server.azure_endpoint)
        assert f"{base}/openai/v1/" == server.azure_v1_base_url
        assert {"OPENAI_BASE_URL": f"{base}/v1", "OPENAI_API_KEY": "k"} == server.openai_environment
        assert {
            "AZURE_OPENAI_ENDPOINT": base,
            "AZURE_OPENAI_API_KEY": "k",
            "OPENAI_API_VERSION": "2024-10-21",
        } == server.azure_environment


async def test_a_port_that_is_taken_is_told():
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*port=0"):
            await FaultServer(port=port).start()


async def test_a_new_scenario_begins_with_its_first_turn():
    """From the next request on."""
    async with FaultServer(Answer(text="old"), Answer(text="never")) as server:
        await answer(server)
        server.play(Answer(text="new"))
        found = events(text_of(await answer(server)))
    assert "new" == found[1]["choices"][0]["delta"]["content"]


async def test_exchanges_are_waited_for_in_order():
    """Whether they came already or not."""
    async with FaultServer() as server:
        early = server.next_exchange()
        await answer(server, model="a")
        await answer(server, model="b")
        assert ["a", "b"] == [
            (await early).request.body["model"],
            (await server.next_exchange()).request.body["model"],
        ]
        with pytest.raises(WaitedTooLong, match="a request"):
            await server.next_exchange(timeout_s=0)


async def test_closing_ends_every_connection():
    """Idle ones, stalled ones; and can be repeated."""
    server = FaultServer(Faults(failure=Stall(after_chunks=1)))
    await server.start()
    async with connected(server) as idle, connected(server) as busy:
        busy.ask()
        exchange = await server.next_exchange()
        await exchange.stalled()
        await server.close()
        assert b"" == await idle.read_to_end()
        await busy.read_to_end()
    assert "server_closed" == exchange.ended_by
    assert not server._tasks
    await server.close()


async def test_a_failure_of_its_own_is_not_swallowed(monkeypatch):
    """It shows when the server is closed."""

    def fail(responder, request):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Responder, "respond", fail)
    server = FaultServer()
    await server.start()
    assert b"" == await answer(server)
    with pytest.raises(BaseExceptionGroup, match="itself failed") as raised:
        await server.close()
    assert "a bug" == str(raised.value.exceptions[0])


def fetch(server, **headers):
    request = urllib.request.Request(
        f"{server.openai_base_url}/chat/completions",
        headers={"authorization": f"Bearer {server.api_key}", **headers},
        data=b'{"model":"m","messages":[]}',
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_runs_in_a_thread_for_blocking_clients():
    """The same server; what it waits for can be blocked on."""
    before = threading.active_count()
    with FaultServer.in_thread(Faults(failure=Rejection(status=503)), Faults()) as server:
        assert [503, 200] == [fetch(server), fetch(server)]
        first, second = server.next_exchange().result(), server.next_exchange().result()
        assert ["finished", "finished"] == [first.ended().result(), second.ended().result()]
    assert before == threading.active_count()


def test_a_blocking_client_that_hangs_up_is_noticed():
    """From another thread."""
    with FaultServer.in_thread(Faults(failure=Stall(after_chunks=2))) as server:
        body = b'{"model":"m","messages":[],"stream":true}'
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer %b\r\n"
                b"content-length: %d\r\n\r\n%b" % (server.api_key.encode(), len(body), body)
            )
            exchange = server.next_exchange().result()
            assert 2 == exchange.stalled().result()
        assert 2 == exchange.hung_up().result()


def test_a_stall_is_resumed_from_another_thread():
    """The server's loop wakes up."""
    with FaultServer.in_thread(Faults(failure=Stall())) as server:
        thread = threading.Thread(target=fetch, args=(server,))
        thread.start()
        exchange = server.next_exchange().result()
        exchange.stalled().result()
        exchange.resume()
        assert "finished" == exchange.ended().result()
        thread.join()


def test_it_runs_on_uvloop():
    """Resets and hanging up work with its transports too."""

    async def meet_faults():
        reset = Faults(failure=Reset(after_bytes=9))
        async with FaultServer(reset) as server, connected(server) as client:
            client.ask()
            await client.read_to_reset()
        stall = Faults(failure=Stall(after_chunks=3))
        async with FaultServer(stall) as server, connected(server) as client:
            client.ask()
            exchange = await server.next_exchange()
            await exchange.stalled()
            await client.hang_up()
            return exchange.request.path, await exchange.hung_up()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert ("/v1/chat/completions", 3) == runner.run(meet_faults())


def test_a_thread_ends_when_the_server_cannot_start():
    """Nothing is left behind."""
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError), FaultServer.in_thread(port=port):
            pass
    assert before == threading.active_count()
