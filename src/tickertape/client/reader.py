"""Follows a run on a server to its end, however often the connection breaks.

Speaks the native wire. Keeps a cursor, and goes on after it with a new
connection: nothing is lost or repeated (P1), and an end of file without an
outcome is a broken connection, never an end (P2). Records that can't be of one
history with what was read are an error, never text.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import closing
from typing import Final, TypeAlias
from urllib.parse import quote

import msgspec

from tickertape.client.attempts import Attempts
from tickertape.client.base import OpenSource, Source
from tickertape.client.http import CursorRefused, Interrupted, ServerReply, ServerSession
from tickertape.client.text_stream import AsyncTextStream, TextStream
from tickertape.core.cursor import AT_BEGINNING, Cursor, parse_cursor
from tickertape.core.errors import (
    InvalidRequest,
    ProtocolError,
    RecordsLost,
    TickertapeError,
)
from tickertape.core.events import CancelledBy, Event, RunEnded, RunStarted, TextDelta, Timings
from tickertape.core.request import ChatRequest
from tickertape.core.retry import Backoff
from tickertape.core.sse import ServerSentEvent, SseDecoder
from tickertape.engine.background import background
from tickertape.engine.identity import new_run_id
from tickertape.wires.native import DONE, decode_payload

After: TypeAlias = Cursor | int | str
"""A place to read on from: what `ConnectionLost.cursor` is, its text, or a plain offset."""

_PATH: Final = "/chat/stream"


def async_tail_run(
    base_url: str,
    run_id: str,
    *,
    after: After = AT_BEGINNING,
    headers: Mapping[str, str] | None = None,
    backoff: Backoff | None = None,
) -> AsyncTextStream:
    """Return a run's text from the first record after `after` to its end.

    `after` is a `ConnectionLost.cursor`, its `str`, or the id of a block.
    Leaving early does not stop the run; `cancel` does. `headers` go with every
    request: whatever the server's application signs its users in with.

    Raises (when read):
        UnknownRun, RunTrimmed: the server has no such run, or no longer.
        RunFailed, RunCancelled: the run ended so.
        ConnectionLost: the server can't be reached any more.
        RecordsLost: what was read is no longer there; read again from the beginning.
        ProtocolError: it does not speak the native wire, or text is missing.
    """
    return AsyncTextStream(_tail(base_url, run_id, after, headers, backoff))


def tail_run(
    base_url: str,
    run_id: str,
    *,
    after: After = AT_BEGINNING,
    headers: Mapping[str, str] | None = None,
    backoff: Backoff | None = None,
) -> TextStream:
    """Return a run's text, as `async_tail_run`."""
    return TextStream(_tail(base_url, run_id, after, headers, backoff))


def async_start_run(
    base_url: str,
    request: ChatRequest,
    *,
    idempotency_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    backoff: Backoff | None = None,
) -> AsyncTextStream:
    """Start a run on a server when the first text is asked for, and return its text.

    However often the start is sent, one run comes of it (P7): without a key of
    the caller's, one is made up. Otherwise as `async_tail_run`.
    """
    return AsyncTextStream(_start(base_url, request, idempotency_key, headers, backoff))


def start_run(
    base_url: str,
    request: ChatRequest,
    *,
    idempotency_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    backoff: Backoff | None = None,
) -> TextStream:
    """Start a run on a server and return its text, as `async_start_run`."""
    return TextStream(_start(base_url, request, idempotency_key, headers, backoff))


async def async_cancel_run(
    base_url: str,
    run_id: str,
    *,
    headers: Mapping[str, str] | None = None,
    backoff: Backoff | None = None,
) -> None:
    """Cancel a run on a server; return when it has ended. Safe to repeat.

    Raises:
        UnknownRun, RunTrimmed: the server has no such run, or no longer.
        ConnectionLost: the server can't be reached.
    """
    async with ServerSession(base_url, headers=headers) as session:
        attempts = Attempts(backoff or Backoff())
        reply = None
        while reply is None:
            try:
                reply = await session.open("DELETE", _path_of(run_id))
            except Interrupted as error:
                await attempts.wait_after(error, run_id=run_id, cursor=AT_BEGINNING)
        reply.close()


def cancel_run(
    base_url: str,
    run_id: str,
    *,
    headers: Mapping[str, str] | None = None,
    backoff: Backoff | None = None,
) -> None:
    """Cancel a run on a server, as `async_cancel_run`."""
    background.call(async_cancel_run(base_url, run_id, headers=headers, backoff=backoff))


def _tail(
    base_url: str,
    run_id: str,
    after: After,
    headers: Mapping[str, str] | None,
    backoff: Backoff | None,
) -> OpenSource:
    async def opened() -> AsyncGenerator[Source, None]:
        cursor = _cursor_of(after)
        async with ServerSession(base_url, headers=headers) as session:
            attempts = Attempts(backoff or Backoff())
            with closing(Reader(session, run_id=run_id, after=cursor, attempts=attempts)) as reader:
                yield reader

    return opened


def _start(
    base_url: str,
    request: ChatRequest,
    idempotency_key: str | None,
    headers: Mapping[str, str] | None,
    backoff: Backoff | None,
) -> OpenSource:
    start = {
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key or new_run_id(),
    }
    body = msgspec.json.encode(request)

    async def opened() -> AsyncGenerator[Source, None]:
        async with ServerSession(base_url, headers=headers) as session:
            attempts = Attempts(backoff or Backoff())
            with closing(Reader(session, start=(start, body), attempts=attempts)) as reader:
                yield reader

    return opened


class Reader:
    """One run's events, from one connection after the other."""

    def __init__(
        self,
        session: ServerSession,
        *,
        attempts: Attempts,
        run_id: str | None = None,
        start: tuple[Mapping[str, str], bytes] | None = None,
        after: Cursor = AT_BEGINNING,
    ) -> None:
        """Read the run `run_id`, or the one that `start` (headers and body) starts."""
        self.run_id = run_id
        self.cursor = after
        """The last record that `next` has returned."""
        self.detail = ""
        self._session = session
        self._attempts = attempts
        self._start = start
        self._after = after
        self._last_id = str(after)
        """The cursor as the server wrote it, and gets it back."""
        self._rereads_end = False
        self._reply: ServerReply | None = None
        self._decoder = SseDecoder()
        self._length = 0
        self._has_asked = False
        self._cancel: CancelledBy | None = None
        self._is_cancel_sent = False
        self._was_cut_by_cancel = False
        self._failure: TickertapeError | None = None

    async def next(self) -> Sequence[Event]:
        """Return the next events; the last batch ends with `RunEnded`.

        Raises:
            TickertapeError: as `async_tail_run`, but for how the run ended.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            if self._cancel is not None and self._start is not None and not self._has_asked:
                return [_never_started(self._cancel)]
            try:
                if events := await self._receive():
                    self._attempts.succeeded()
                    return events
            except Interrupted as error:
                self._disconnect()
                if self._was_cut_by_cancel:
                    self._was_cut_by_cancel = False
                else:
                    await self._attempts.wait_after(error, run_id=self.run_id, cursor=self.cursor)

    def cancel(self, by: CancelledBy) -> None:
        """Have the server cancel the run; `next` goes on to its end."""
        self._cancel = by
        self._attempts.hurry()
        if self._reply is not None:
            self._was_cut_by_cancel = True
            self._reply.close()  # ends the read that waits

    def close(self) -> None:
        """Close the connection; the run goes on. Safe to repeat."""
        self._disconnect()

    async def _receive(self) -> list[Event]:
        if self._owes_cancel() and self.run_id is not None:
            await self._send_cancel(self.run_id)
        if self._reply is None:
            self._reply = await self._connect()
            if self._owes_cancel() and self.run_id is not None:
                return []  # it came meanwhile, or waited for the run's id
        chunk = await self._reply.read()
        if not chunk:
            raise Interrupted("the server's stream stopped before the run's end")
        return self._events(self._decoder.feed(chunk))

    async def _connect(self) -> ServerReply:
        """Start the run, or go on with it: by its id as soon as that is known."""
        self._decoder = SseDecoder()
        self._has_asked = True
        if self.run_id is None:
            assert self._start is not None
            headers, body = self._start
            reply = await self._session.open("POST", _PATH, headers=headers, body=body)
            # Only its last part: a proxy may have put the server under another path.
            self.run_id = reply.headers.get("Location", "").rpartition("/")[2] or None
        else:
            reply = await self._resume(self.run_id)
        if reply.status == 204:
            reply.close()
            return await self._connect_before_end()
        try:
            reply.require_events()
        except BaseException:
            reply.close()
            raise
        return reply

    async def _resume(self, run_id: str) -> ServerReply:
        is_new = self._rereads_end or self.cursor == AT_BEGINNING
        headers = {} if is_new else {"Last-Event-ID": self._last_id}
        try:
            return await self._session.open("GET", _path_of(run_id), headers=headers)
        except CursorRefused as error:
            if self.cursor == self._after:
                raise
            # It was there: this reader has read it.
            raise RecordsLost(run_id) from error

    async def _connect_before_end(self) -> ServerReply:
        """Read the last record once more: the caller had it already, but not what it says.

        From the beginning, since nothing tells the epoch of the record before it.
        """
        if self._rereads_end or self.cursor != self._after or self.cursor == AT_BEGINNING:
            raise ProtocolError(f"the server has no end after {self.cursor}, but says it closed")
        self._rereads_end = True
        return await self._connect()

    def _owes_cancel(self) -> bool:
        return self._cancel is not None and not self._is_cancel_sent

    def _disconnect(self) -> None:
        if self._reply is not None:
            self._reply.close()
            self._reply = None

    async def _send_cancel(self, run_id: str) -> None:
        self._disconnect()
        (await self._session.open("DELETE", _path_of(run_id))).close()
        self._is_cancel_sent = True

    def _events(self, blocks: Sequence[ServerSentEvent]) -> list[Event]:
        """Return what the blocks bring; what is wrong with one is for the next call to raise."""
        events: list[Event] = []
        try:
            for block in blocks:
                event = self._take(block)
                if event is not None:
                    events.append(event)
                if type(event) is RunEnded:
                    break
        except Interrupted:
            if not events:
                raise
            self._disconnect()
        except TickertapeError as error:
            if not events:
                raise
            self._failure = error
        return events

    def _take(self, block: ServerSentEvent) -> Event | None:
        """Return the block's event, if it is new.

        Raises:
            ProtocolError: it can't be what the server meant to send.
            RecordsLost: it is of another history than what was read.
            Interrupted: the stream says that it is closed, but not how the run ended.
        """
        if block.data == DONE:
            raise Interrupted("the server closed the stream without the run's outcome")
        cursor = parse_cursor(block.id)
        if cursor is None or cursor.offset < 0:
            raise ProtocolError(f"a block has no offset, but the id {block.id!r}")
        if not self.cursor.shares_history(cursor):
            raise RecordsLost(self.run_id or "")
        is_end_again = self._rereads_end and cursor == self._after
        if cursor.offset <= self.cursor.offset and not is_end_again:
            return None
        event = decode_payload(block.data)
        if (type(event) is RunStarted) != (self.cursor == AT_BEGINNING):
            raise ProtocolError(f"{type(event).__name__} ({cursor}) can't follow {self.cursor}")
        self.cursor, self._last_id = cursor, block.id
        if type(event) is RunStarted:
            self.run_id = event.run_id
        elif type(event) is TextDelta:
            self._length += len(event.text)
        elif type(event) is RunEnded:
            self._check_end(event)
        return event

    def _check_end(self, ended: RunEnded) -> None:
        if self._after == AT_BEGINNING and ended.length != self._length:
            raise ProtocolError(
                f"the run has {ended.length} characters of text, but {self._length} have arrived"
            )
        if ended.outcome == "failed" and ended.error is None:
            raise ProtocolError("the run failed, but the server does not say how")


def _cursor_of(after: After) -> Cursor:
    """Return the cursor that a caller means.

    Raises:
        InvalidRequest: it means none.
    """
    cursor = after if isinstance(after, Cursor) else parse_cursor(str(after))
    if cursor is None:
        raise InvalidRequest(
            f"after is not a cursor: {after!r}; it is the id of a block, as `61` or `61.2`",
            param="after",
        )
    return cursor


def _path_of(run_id: str) -> str:
    return f"{_PATH}/{quote(run_id, safe='')}"


def _never_started(by: CancelledBy) -> RunEnded:
    return RunEnded(
        outcome="cancelled",
        length=0,
        timings=Timings(first_progress_s=None, duration_s=0.0),
        cancelled_by=by,
    )
