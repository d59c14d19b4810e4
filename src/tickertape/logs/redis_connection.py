"""The Redis log's port to a real Redis: one connection for scripts, one for channels.

Everything that is called in one pass of the event loop, or while answers are out,
goes out in one write: many runs' appends share one round trip, and no timer waits
to make them more. A connection that was lost is made anew by the next call; who
repeats a call is the log's to decide.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from tickertape.logs.redis_ear import RedisEar
from tickertape.logs.redis_errors import at_open, version_error, volatile_warning
from tickertape.logs.redis_link import Link, RedisError, pack, read_url, refused
from tickertape.logs.redis_port import PortListener, PortLost, PortRefused, Reply
from tickertape.logs.redis_scripts import SCRIPTS

logger = logging.getLogger("tickertape.logs")

_HASHES: Final = {
    name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode()
    for name, text in SCRIPTS.items()
}


class _Call:
    """A call, from when it is made until its answer is here."""

    __slots__ = ("future", "packed", "rest", "script")

    def __init__(
        self, future: asyncio.Future[Any], packed: bytes, script: str, rest: tuple[bytes, ...]
    ) -> None:
        self.future = future
        self.packed = packed
        self.script = script
        self.rest = rest


class RedisConnection:
    """A `RedisPort` to one Redis or Valkey."""

    def __init__(
        self, url: str, *, connect_timeout_s: float = 3.0, answer_timeout_s: float = 5.0
    ) -> None:
        """Raise `ConfigurationError` where the URL names no Redis.

        A Redis that gives no answer for `answer_timeout_s` counts as lost.
        """
        self._address = read_url(url)
        self.place: str = self._address.place
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._ear = RedisEar(
            self._address, connect_timeout_s=connect_timeout_s, silence_s=answer_timeout_s
        )
        self._loop: asyncio.AbstractEventLoop
        self._link: Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: list[_Call] = []
        self._sent: deque[_Call] = deque()
        self._is_to_flush = False
        self._answer_by_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def open(self, listener: PortListener) -> None:
        """See `RedisPort.open`."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._connect_link()
            about = await self._info()
            if error := version_error(about, self.place):
                raise error
            if warning := volatile_warning(about, self.place):
                logger.warning("%s", warning)
        except (PortLost, PortRefused) as error:
            await self.close()
            raise at_open(error, self.place) from error
        except BaseException:
            await self.close()
            raise
        self._ear.open(listener)

    def call(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> asyncio.Future[Reply]:
        """See `RedisPort.call`."""
        rest = (str(len(keys)).encode(), *keys, *arguments)
        return self._put(pack(("EVALSHA", _HASHES[script], *rest)), script, rest)

    def subscribe(self, channel: bytes) -> None:
        """See `RedisPort.subscribe`."""
        self._ear.subscribe(channel)

    def unsubscribe(self, channel: bytes) -> None:
        """See `RedisPort.unsubscribe`."""
        self._ear.unsubscribe(channel)

    async def close(self) -> None:
        """See `RedisPort.close`."""
        self._is_closed = True
        await self._ear.close()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._timer is not None:
            self._timer.cancel()
        if self._link is not None:
            await self._link.hang_up("the log was closed")
        self._fail("the log was closed")

    def _put(self, packed: bytes, script: str, rest: tuple[bytes, ...]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._is_closed:
            future.set_exception(PortLost("the log was closed"))
            return future
        self._waiting.append(_Call(future, packed, script, rest))
        if self._link is None:
            if self._connecting is None:
                self._connecting = self._loop.create_task(self._connect(), name="redis: connect")
        elif not self._sent and not self._is_to_flush:
            self._is_to_flush = True
            self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        """Write everything that waits, unless answers are out: then it waits for them."""
        self._is_to_flush = False
        if self._link is None or self._sent or not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        if len(waiting) == 1:
            self._link.send(waiting[0].packed)
        else:
            self._link.send(b"".join([call.packed for call in waiting]))
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
        call = sent.popleft()
        if isinstance(reply, RedisError):
            self._heard_error(call, reply)
        elif not call.future.done():
            call.future.set_result(reply)
        if not sent:
            if self._waiting:
                self._flush()
        else:
            self._answer_by_s = self._loop.time() + self._answer_timeout_s

    def _heard_error(self, call: _Call, reply: Exception) -> None:
        error = refused(reply)
        if error.code == "NOSCRIPT" and call.script:
            # A Redis that was restarted knows no script; this teaches it.
            call.packed = pack(("EVAL", SCRIPTS[call.script], *call.rest))
            call.script = ""
            self._waiting.append(call)
        elif not call.future.done():
            call.future.set_exception(error)

    def _ended(self, cause: str) -> None:
        self._link = None
        self._fail(f"the connection to {self.place} was lost: {cause}")

    def _fail(self, cause: str) -> None:
        calls = [*self._sent, *self._waiting]
        self._sent.clear()
        self._waiting = []
        for call in calls:
            if not call.future.done():
                call.future.set_exception(PortLost(cause))

    async def _connect(self) -> None:
        """Connect for the calls that wait."""
        try:
            await self._connect_link()
        except (PortLost, PortRefused) as error:
            self._connecting = None
            calls, self._waiting = self._waiting, []
            for call in calls:
                if not call.future.done():
                    call.future.set_exception(_copy(error))
        else:
            self._connecting = None
            self._flush()

    async def _connect_link(self) -> None:
        self._link = await Link.connect(
            self._address,
            heard=self._heard,
            ended=self._ended,
            timeout_s=self._connect_timeout_s,
        )

    async def _info(self) -> dict[str, str]:
        """Return what Redis says of itself; nothing, where that is forbidden to us."""
        try:
            text = await self._put(pack(("INFO",)), "", ())
        except PortRefused as error:
            if error.code != "NOPERM":
                raise
            return {}
        lines = [line.partition(":") for line in bytes(text).decode(errors="replace").splitlines()]
        return {name: value for name, colon, value in lines if colon}


def _copy(error: PortLost | PortRefused) -> PortLost | PortRefused:
    # One exception for each who waits: raising one twice would mix their tracebacks.
    if isinstance(error, PortRefused):
        return PortRefused(error.code, str(error))
    return PortLost(str(error))
