"""One client's connection: requests are read, replies played step by step.

Watches for the client's hanging up at all times, also while nothing is sent.
The answers are the responder's, the steps `delivery`'s.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import assert_never, cast

from tickertape.core.errors import ProtocolError
from tickertape.testing.fault_server.delivery import (
    LAST_HTTP_CHUNK,
    End,
    Hold,
    Wait,
    Write,
    deliver,
)
from tickertape.testing.fault_server.exchanges import Exchange, ExchangeLog
from tickertape.testing.fault_server.http_messages import (
    CONTINUE,
    HttpRequest,
    RequestReader,
    response_head,
)
from tickertape.testing.fault_server.replies import Reply
from tickertape.testing.fault_server.responder import Responder

# Nothing that we serve pipelines; more than this is an attack or a bug.
_MAX_PIPELINED = 16

# How many writes may follow each other before other connections, and this
# one's own hanging up, are looked at.
_WRITES_PER_TURN = 32

# On, for zero seconds: closing sends a reset.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """Serves one connection in one task, which its owner awaits."""

    def __init__(
        self,
        number: int,
        *,
        responder: Responder,
        exchanges: ExchangeLog,
        sleep: Callable[[float], Awaitable[None]],
        own: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._number = number
        self._responder = responder
        self._exchanges = exchanges
        self._sleep = sleep
        self._own = own
        self._reader = RequestReader()
        self._requests: deque[HttpRequest] = deque()
        self._has_news = asyncio.Event()
        self._is_drained = asyncio.Event()
        self._is_drained.set()
        self._broken: ProtocolError | None = None
        self._has_left = False

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve."""
        # uvloop's transports are not of asyncio's classes, but do the same.
        self._transport = transport = cast("asyncio.Transport", transport)
        # Every byte counts as sent only when the kernel has it. (asyncio's TLS
        # takes 0 for "never below": it would pause for good.)
        is_encrypted = transport.get_extra_info("sslcontext") is not None
        transport.set_write_buffer_limits(high=int(is_encrypted), low=0)
        self._task = asyncio.get_running_loop().create_task(
            self._serve(), name=f"fault server connection {self._number}"
        )
        # Not in the task: one that is cancelled before its first step runs no `finally`.
        self._task.add_done_callback(lambda _: transport.close())
        self._own(self._task)

    def data_received(self, data: bytes) -> None:
        """Take in bytes of requests."""
        if self._broken is not None:
            return
        try:
            self._requests.extend(self._reader.feed(data))
            if len(self._requests) > _MAX_PIPELINED:
                raise ProtocolError(f"more than {_MAX_PIPELINED} requests without an answer")
        except ProtocolError as error:
            self._broken = error
            self._requests.clear()
        if self._reader.wants_continue:
            self._reader.wants_continue = False
            self._transport.write(CONTINUE)
        self._has_news.set()

    def eof_received(self) -> None:
        """Take the client's end of file for what it is: nobody reads any more."""
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Take note that the connection is gone."""
        self._leave()

    def pause_writing(self) -> None:
        """Wait with the next write: the kernel's buffer is full."""
        self._is_drained.clear()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._is_drained.set()

    def _leave(self) -> None:
        self._has_left = True
        self._task.cancel()

    # The task.

    async def _serve(self) -> None:
        keeps = True
        while keeps:
            request = await self._next_request()
            if request is None:
                break
            keeps = await self._answer(request)

    async def _next_request(self) -> HttpRequest | None:
        """Return the next request; None after bytes that are none."""
        while not self._requests:
            if self._broken is not None:
                await self._complain(self._broken)
                return None
            self._has_news.clear()
            await self._has_news.wait()
        return self._requests.popleft()

    async def _complain(self, broken: ProtocolError) -> None:
        body = f"{broken}\n".encode()
        headers = (("content-length", str(len(body))), ("connection", "close"))
        await self._write(response_head(400, headers) + body)

    async def _answer(self, request: HttpRequest) -> bool:
        """Answer one request; return whether the connection is to be kept."""
        exchange = self._exchanges.record(request, connection=self._number)
        try:
            reply = self._responder.respond(exchange.request)
            exchange.status = reply.status
            return await self._play(reply, exchange, keeps_alive=request.keeps_alive)
        finally:
            # Only counts when nothing else ended it: this task was cancelled.
            exchange.note_end("hung_up" if self._has_left else "server_closed")

    async def _play(self, reply: Reply, exchange: Exchange, *, keeps_alive: bool) -> bool:
        head = _head(reply, keeps_alive=keeps_alive)
        steps = deliver(reply.chunks, reply.faults, head=head, framing=reply.framing)
        writes = 0
        for step in steps:
            match step:
                case Write():
                    writes += 1
                    # Not before the end of the body: a client that leaves when it
                    # has read the last chunk has not hung up.
                    if writes % _WRITES_PER_TURN == 0 and step.body_bytes:
                        await asyncio.sleep(0)
                    if not await self._is_produced(reply, step):
                        return await self._end_early(reply, exchange)
                    await self._write(step.wire)
                    exchange.note_sent(chunks=step.completes, body_bytes=step.body_bytes)
                case Wait():
                    await self._sleep(step.seconds)
                case Hold():
                    await self._hold(step, exchange)
                case End():
                    exchange.note_end("cut" if step.is_cut else "finished")
                    return keeps_alive and self._end(step)
                case _:
                    assert_never(step)
        raise AssertionError("the steps had no End")

    async def _is_produced(self, reply: Reply, step: Write) -> bool:
        """Wait for a background response to come so far; return False if it never will."""
        if reply.stored is None or step.last_chunk < 0:
            return True
        return await reply.stored.has_produced(reply.places[step.last_chunk])

    async def _end_early(self, reply: Reply, exchange: Exchange) -> bool:
        """End a stream whose background response was cancelled."""
        if reply.framing == "chunked":
            await self._write(LAST_HTTP_CHUNK)
        exchange.note_end("finished")
        return reply.framing == "chunked"

    async def _write(self, wire: bytes) -> None:
        if self._transport.is_closing():
            # The client has gone, and this task is about to learn it: asyncio would
            # complain about each write until then.
            await asyncio.sleep(0)
        self._transport.write(wire)
        if not self._is_drained.is_set():
            await self._is_drained.wait()

    async def _hold(self, hold: Hold, exchange: Exchange) -> None:
        resumed = asyncio.Event()
        wake = partial(asyncio.get_running_loop().call_soon_threadsafe, resumed.set)
        milestone = exchange.note_stall()
        milestone.subscribe(wake)
        try:
            for seconds, heartbeat in hold.waits():
                if await self._is_set_within(resumed, seconds):
                    return
                if heartbeat:
                    await self._write(heartbeat)
            if hold.for_s is None:
                await resumed.wait()
        finally:
            milestone.unsubscribe(wake)

    async def _is_set_within(self, event: asyncio.Event, seconds: float) -> bool:
        # Not wait_for: the time is the server's `sleep`, which a test may replace.
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()
            await asyncio.gather(sleeping, waiting, return_exceptions=True)
        return event.is_set()

    def _end(self, end: End) -> bool:
        if end.connection == "reset":
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
            )
            self._transport.abort()
        return end.connection == "keep"


def _head(reply: Reply, *, keeps_alive: bool) -> bytes:
    headers = list(reply.headers)
    match reply.framing:
        case "chunked":
            headers.append(("transfer-encoding", "chunked"))
        case "length":
            headers.append(("content-length", str(sum(map(len, reply.chunks)))))
        case "close":
            keeps_alive = False
        case _:
            assert_never(reply.framing)
    headers.append(("connection", "keep-alive" if keeps_alive else "close"))
    return response_head(reply.status, headers)
