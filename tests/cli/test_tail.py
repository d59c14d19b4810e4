"""`tickertape tail`: a run on a server, to its end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.client.wire_server import Reply, WireServer, after, records_of
from tickertape.core.events import RunError
from tickertape.core.record import Record
from tickertape.wires.native import encode

RECORDS = records_of("Hel", "lo")
TAKEN_OVER = [Record(each.offset, each.event, 2, 0.0) for each in RECORDS]


@pytest.fixture
def serve():
    """Serve replies from a thread; return the server."""
    stop, threads = threading.Event(), []

    def start(*replies):
        server, ready = WireServer(*replies), threading.Event()

        async def run():
            async with server:
                ready.set()
                await asyncio.to_thread(stop.wait)

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        threads.append(thread)
        thread.start()
        assert ready.wait(10)
        return server

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def test_the_runs_text_is_printed(run, serve):
    """To its end."""
    server = serve(lambda request: Reply(after(RECORDS, request)))
    command = run("tail", "r1", "--url", server.url)
    assert (0, "Hello", "") == (command.exit_code(), command.out.rest(), command.err.rest())


def test_a_lost_connection_is_told_and_tried_again(run, serve):
    """The text has no gap, and nothing twice."""
    server = serve(Reply(encode(RECORDS[:2])), lambda request: Reply(after(RECORDS, request)))
    command = run("tail", "r1", "--url", server.url)
    assert (0, "Hello") == (command.exit_code(), command.out.rest())
    assert "trying again" in command.err.rest()


def test_it_can_begin_in_the_middle(run, serve):
    """After an offset that was read before."""
    server = serve(lambda request: Reply(after(RECORDS, request)))
    command = run("tail", "r1", "--url", server.url, "--after", "1")
    assert (0, "lo") == (command.exit_code(), command.out.rest())
    assert "1" == server.requests[0].headers["last-event-id"]


def test_it_can_begin_after_a_take_over(run, serve):
    """An id that has an epoch, too; -1 is the beginning."""
    server = serve(*[lambda request: Reply(after(TAKEN_OVER, request))] * 2)
    command = run("tail", "r1", "--url", server.url, "--after", "1.2")
    assert (0, "lo") == (command.exit_code(), command.out.rest())
    assert "1.2" == server.requests[0].headers["last-event-id"]
    command = run("tail", "r1", "--url", server.url, "--after", "-1")
    assert (0, "Hello") == (command.exit_code(), command.out.rest())


def test_what_is_no_cursor_is_refused(run):
    """The message shows it, and what one looks like."""
    command = run("tail", "r1", "--after", "1.0")
    assert 1 == command.exit_code()
    assert "'1.0'" in command.err.rest()


def test_lost_records_are_told(run, serve):
    """The text so far stays on the screen; the reason is on stderr."""
    body = b'{"error":{"code":"records_lost","message":"no","param":null}}'
    lost = Reply(body, 409, {"Content-Type": "application/json"})
    server = serve(Reply(encode(RECORDS[:2])), lost)
    command = run("tail", "r1", "--url", server.url)
    assert (1, "Hel") == (command.exit_code(), command.out.rest())
    assert "read the run again from the beginning" in command.err.rest()


def test_a_failed_run_fails(run, serve):
    """With the reason on stderr."""
    error = RunError(code="stalled", message="The model fell silent.")
    server = serve(Reply(encode(records_of("Hel", outcome="failed", error=error))))
    command = run("tail", "r1", "--url", server.url)
    assert (1, "Hel") == (command.exit_code(), command.out.rest())
    assert "tickertape: stalled: The model fell silent.\n" == command.err.rest()


def test_a_cancelled_run_counts_as_stopped(run, serve):
    """Whoever stopped it."""
    records = records_of("Hel", outcome="cancelled", cancelled_by="user")
    server = serve(Reply(encode(records)))
    command = run("tail", "r1", "--url", server.url)
    assert (130, "Hel") == (command.exit_code(), command.out.rest())


def test_ctrl_c_leaves_and_the_run_goes_on(run, serve):
    """Only the connection closes."""
    server = serve(Reply(encode(RECORDS[:2]), ending="hold"))
    command = run("tail", "r1", "--url", server.url)
    command.out.until("Hel")
    command.interrupt()
    assert (130, "") == (command.exit_code(), command.err.rest())
    assert ["GET"] == server.methods


def test_an_unknown_run_is_an_error(run, serve):
    """In one line."""
    body = b'{"error":{"code":"unknown_run","message":"no","param":null}}'
    server = serve(Reply(body, 404, {"Content-Type": "application/json"}))
    command = run("tail", "r1", "--url", server.url)
    assert (1, "tickertape: there is no run 'r1'\n") == (command.exit_code(), command.err.rest())
