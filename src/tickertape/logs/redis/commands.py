"""A call as Redis is asked it: a script by its hash, or plain commands in one transaction.

What only reads long lists is no script: Lua would turn each entry over twice, which
takes Redis several times as long as finding it. A transaction is one step as a script is.
Knows no connection.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from tickertape.logs.redis.link import RedisError, pack, refused
from tickertape.logs.redis.port import Reply
from tickertape.logs.redis.scripts import SCRIPTS

_HASHES: Final = {
    name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode()
    for name, text in SCRIPTS.items()
}
_ASKING: Final = pack(("ASKING",))
_BEGIN: Final = pack(("MULTI",))
_END: Final = pack(("EXEC",))


class Command:
    """One call, from when it is made until its answer is here."""

    __slots__ = (
        "_rest",
        "_script",
        "answer",
        "error",
        "future",
        "is_asking",
        "key",
        "left",
        "moves",
        "packed",
        "replies",
    )

    def __init__(
        self,
        future: asyncio.Future[Any],
        packed: bytes,
        *,
        key: bytes = b"",
        script: str = "",
        rest: tuple[bytes, ...] = (),
        replies: int = 1,
        answer: Callable[[Any], Any] | None = None,
    ) -> None:
        self.future = future
        self.packed = packed
        self.key = key
        """Its slot says which node of a cluster it is for."""
        self.replies = replies
        """How many Redis gives; the last one is the answer."""
        self.left = replies
        self.answer = answer
        """Makes of the last reply what the port promises; None: it is that."""
        self.error: Exception | None = None
        """The first of its replies that was one."""
        self.moves = 0
        """How often another node was named."""
        self.is_asking = False
        self._script = script
        self._rest = rest

    def ask(self, is_asking: bool) -> None:
        """Say, or no more, that the node is asked though it does not own the slot yet."""
        if is_asking != self.is_asking:
            self.is_asking = is_asking
            self.replies += 1 if is_asking else -1
            self.packed = _ASKING + self.packed if is_asking else self.packed[len(_ASKING) :]

    def teach(self) -> bool:
        """Bring the script along, of which Redis knew the hash only; False: it did already."""
        if not self._script:
            return False
        is_asking = self.is_asking
        self.ask(False)
        self.packed = pack(("EVAL", SCRIPTS[self._script], *self._rest))
        self._script = ""
        self.ask(is_asking)
        return True


def script(
    future: asyncio.Future[Any], name: str, keys: Sequence[bytes], arguments: Sequence[bytes]
) -> Command:
    """Return the call that the port names so."""
    if name == "read":
        return _read(future, *keys, *arguments)
    rest = (b"%d" % len(keys), *keys, *arguments)
    packed = pack(("EVALSHA", _HASHES[name], *rest))
    return Command(future, packed, key=keys[0], script=name, rest=rest)


def _read(
    future: asyncio.Future[Any], run: bytes, records: bytes, first: bytes, last: bytes
) -> Command:
    """Read the appends that hold the records from one offset up to another.

    Keys as in `create.lua`. Replies: `unknown` · `ok` end offset, epoch, closed at or
    nil, the entries.
    """
    first_offset = int(first)
    packed = b"".join(
        (
            _BEGIN,
            pack(("HMGET", run, "end", "epoch", "closed_at")),
            # The append that holds the first one may begin before it.
            pack(("XREVRANGE", records, b"%d" % (first_offset + 1), "-", "COUNT", "1")),
            pack(("XRANGE", records, b"%d" % (first_offset + 2), b"%d" % (int(last) + 1))),
            _END,
        )
    )

    def answer(replies: Sequence[Any]) -> Reply:
        for reply in replies:
            if isinstance(reply, RedisError):
                raise refused(reply)
        (end_offset, epoch, closed_at), begin, entries = replies
        if end_offset is None:
            return [b"unknown"]
        entries = [*begin, *entries] if first_offset < int(end_offset) else []
        return [b"ok", int(end_offset), int(epoch), closed_at, entries]

    return Command(future, packed, key=run, replies=5, answer=answer)
