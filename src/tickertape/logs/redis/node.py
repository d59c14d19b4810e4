"""Calls of one Redis, or of one node of a cluster, over one connection.

Everything that is called in one pass of the event loop, or while answers are out,
goes out in one write: many runs' appends share one round trip, and no timer waits
to make them more. A connection that was lost is made anew by the next call; who
repeats a call is the log's to decide.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from tickertape.logs.redis.commands import Command
from tickertape.logs.redis.link import Address, Link, RedisError, refused
from tickertape.logs.redis.port import PortLost, PortRefused

Refused: TypeAlias = "Callable[[RedisNode, Command, PortRefused], bool]"
"""Told of each refusal; True: the call goes on elsewhere."""


class RedisNode:
    """One Redis."""

    def __init__(
        self,
        address: Address,
        *,
        connect_timeout_s: float,
        answer_timeout_s: float,
        refused: Refused = lambda *_: False,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        """`lost` is called when the connection was lost, or could not be made."""
        self.address = address
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._refused = refused
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: list[Command] = []
        self._sent: deque[Command] = deque()
        self._is_to_flush = False
        self._answer_by_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def is_connected(self) -> bool:
        """Tell whether there is a connection, as far as we know."""
        return self._link is not None

    @property
    def is_idle(self) -> bool:
        """Tell whether no call waits for its answer."""
        return not self._sent and not self._waiting

    async def connect(self) -> None:
        """Connect before the first call.

        Raises:
            PortLost, PortRefused: as `Link.connect`.
        """
        self._link = await Link.connect(
            self.address,
            heard=self._heard,
            ended=self._ended,
            timeout_s=self._connect_timeout_s,
        )

    def put(self, command: Command) -> asyncio.Future[Any]:
        """Make the call, soon; return its future."""
        future = command.future
        if self._is_closed:
            future.set_exception(PortLost("the log was closed"))
            return future
        command.left = command.replies
        command.error = None
        self._waiting.append(command)
        if self._link is None:
            if self._connecting is None:
                self._connecting = self._loop.create_task(self._connect(), name="redis: connect")
        elif not self._sent and not self._is_to_flush:
            self._is_to_flush = True
            self._loop.call_soon(self._flush)
        return future

    async def close(self) -> None:
        """Hang up; calls in flight raise `PortLost`. Safe to repeat."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._timer is not None:
            self._timer.cancel()
        if self._link is not None:
            await self._link.hang_up("the log was closed")
        self._fail("the log was closed")

    def _flush(self) -> None:
        """Write everything that waits, unless answers are out: then it waits for them."""
        self._is_to_flush = False
        if self._link is None or self._sent or not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        if len(waiting) == 1:
            self._link.send(waiting[0].packed)
        else:
            self._link.send(b"".join([command.packed for command in waiting]))
        self._sent.extend(waiting)
        self._answer_by_s = self._loop.time() + self._answer_timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._answer_by_s, self._look)

    def _look(self) -> None:
        """Give up on a Redis that does not answer. One timer, for all calls."""
        self._timer = None
        if not self._sent or self._link is None:
            return
        if self._loop.time() < self._answer_by_s:
            self._timer = self._loop.call_at(self._answer_by_s, self._look)
        else:
            self._link.abort(f"no answer within {self._answer_timeout_s:g} s")

    def _heard(self, reply: object) -> None:
        sent = self._sent
        if not sent:
            if self._link is not None:
                self._link.abort("an answer to no question")
            return
        command = sent[0]
        if isinstance(reply, RedisError) and command.error is None:
            command.error = reply
        if command.left > 1:
            command.left -= 1
            return
        sent.popleft()
        if command.error is not None:
            self._heard_error(command, refused(command.error))
        elif not command.future.done():
            if command.answer is None:
                command.future.set_result(reply)
            else:
                self._answer(command, reply)
        if not sent:
            if self._waiting:
                self._flush()
        else:
            self._answer_by_s = self._loop.time() + self._answer_timeout_s

    def _answer(self, command: Command, reply: object) -> None:
        assert command.answer is not None
        try:
            answer = command.answer(reply)
        except PortRefused as error:
            self._heard_error(command, error)
        else:
            command.future.set_result(answer)

    def _heard_error(self, command: Command, error: PortRefused) -> None:
        if error.code == "NOSCRIPT" and command.teach():
            # A Redis that was restarted knows no script; now it does.
            self.put(command)
        elif not self._refused(self, command, error) and not command.future.done():
            command.future.set_exception(error)

    def _ended(self, cause: str) -> None:
        self._link = None
        self._fail(f"the connection to {self.address.place} was lost: {cause}")
        self._lost()

    def _fail(self, cause: str) -> None:
        commands = [*self._sent, *self._waiting]
        self._sent.clear()
        self._waiting = []
        for command in commands:
            if not command.future.done():
                command.future.set_exception(PortLost(cause))

    async def _connect(self) -> None:
        """Connect for the calls that wait."""
        try:
            await self.connect()
        except (PortLost, PortRefused) as error:
            self._connecting = None
            commands, self._waiting = self._waiting, []
            for command in commands:
                if not command.future.done():
                    command.future.set_exception(_copy(error))
            self._lost()
        else:
            self._connecting = None
            self._flush()


def _copy(error: PortLost | PortRefused) -> PortLost | PortRefused:
    # One exception for each who waits: raising one twice would mix their tracebacks.
    if isinstance(error, PortRefused):
        return PortRefused(error.code, str(error))
    return PortLost(str(error))
