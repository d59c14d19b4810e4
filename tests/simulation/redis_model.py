"""A model of Redis with our scripts in it, in memory: what each does, without the network.

The real scripts are in `logs/redis_scripts/`; `test_redis_model` holds the two against
each other. A script runs in one step, and replies as Redis would. What Redis keeps of
it in its append-only file survives a restart, whole or up to a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tests.simulation.redis_data import RedisData, StreamId
from tickertape.logs.redis_port import Reply

Script = Callable[[RedisData, Sequence[bytes], Sequence[bytes]], Reply]

_LAST_ID: Final = 2**64 - 1


class RedisModel:
    """One Redis. `now_ms` is its clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._replayed_at_ms: int | None = None
        self._file: list[tuple[int, str, tuple[bytes, ...], tuple[bytes, ...]]] = []
        self.data = RedisData(self._time_ms)

    def run(self, script: str, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Reply:
        """Run the script of that name and return its reply."""
        if script not in READS:
            self._file.append((self._now_ms(), script, tuple(keys), tuple(arguments)))
        return SCRIPTS[script](self.data, keys, arguments)

    def take_published(self) -> list[tuple[bytes, bytes]]:
        """Return channels and messages since the last time."""
        taken, self.data.published = self.data.published, []
        return taken

    def restart(self, *, forgets_ms: int = 0) -> None:
        """Start again from the append-only file, of which the last moments may be missing."""
        kept_until_ms = self._now_ms() - forgets_ms
        self._file = [call for call in self._file if not forgets_ms or call[0] <= kept_until_ms]
        self.data.clear()
        for at_ms, script, keys, arguments in self._file:
            self._replayed_at_ms = at_ms
            SCRIPTS[script](self.data, keys, arguments)
        self._replayed_at_ms = None
        self.take_published()

    def _time_ms(self) -> int:
        return self._now_ms() if self._replayed_at_ms is None else self._replayed_at_ms


def _now(data: RedisData, given: bytes) -> int:
    return int(given) if given else data.now_ms()


def _append(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    run, records = keys
    epoch, end, closed_at, cancel_by = data.fields(
        run, b"epoch", b"end", b"closed_at", b"cancel_by"
    )
    if epoch is None or end is None:
        return [b"unknown"]
    if epoch != args[0]:
        return [b"stale", int(epoch), closed_at or b""]
    stored, first, count = int(end), int(args[1]), int(args[2])
    if stored != first or closed_at is not None:
        if count > 0 and stored == first + count:
            last = data.last_entry(records, (_LAST_ID, _LAST_ID))
            if last == [b"%d-%b" % (first + 1, args[0]), [b"r", args[3]]]:
                return [b"ok", stored, cancel_by or b""]
        if closed_at is not None:
            return [b"closed", closed_at]
        return [b"lost" if stored < first else b"ahead", stored]
    if count == 0:
        return [b"ok", stored, cancel_by or b""]
    data.add_entry(records, (first + 1, int(epoch)), args[3])
    data.set_fields(run, b"end", first + count)
    if len(args) > 6:
        data.set_fields(run, b"closed_at", args[6])
        data.expire(run, int(args[5]))
        data.expire(records, int(args[7]))
    elif data.time_to_live_ms(run) * 2 < int(args[5]):
        data.expire(run, int(args[5]))
        data.expire(records, int(args[5]))
    data.publish(args[4], b"%d %b" % (first, args[3]))
    return [b"ok", first + count, cancel_by or b""]


def _cancel(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    epoch, closed_at, cancel_by = data.fields(keys[0], b"epoch", b"closed_at", b"cancel_by")
    if epoch is None:
        return [b"unknown"]
    if closed_at is not None:
        return [b"closed", closed_at]
    by = cancel_by or args[0]
    if cancel_by is None:
        data.set_fields(keys[0], b"cancel_by", by)
    data.publish(args[1], b"%b %b" % (by, args[2]))
    return [b"ok", by]


def _check(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    data.set(keys[0], b"", after_ms=1000)
    data.publish(args[0], b"")
    return [b"ok"]


def _claim(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    run_id, fingerprint = data.fields(keys[0], b"run_id", b"fingerprint")
    if run_id == args[0]:
        return [b"ok"]
    if run_id is not None and run_id != args[2]:
        return [b"taken", run_id, fingerprint]
    data.set_fields(keys[0], b"run_id", args[0], b"fingerprint", args[1])
    data.expire(keys[0], int(args[3]))
    return [b"ok"]


def _create(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    run, records = keys
    token, epoch = data.fields(run, b"token", b"epoch")
    if epoch is not None:
        return [b"new", int(epoch)] if token == args[1] else [b"there"]
    fields = [b"end", b"1", b"epoch", b"1", b"token", args[1], b"read_at", args[4]]
    if args[2]:
        fields += [b"owner", args[2][1:]]
    if args[3]:
        fields += [b"holder", args[3][1:]]
    data.delete(records)
    data.set_fields(run, *fields)
    data.add_entry(records, (1, 1), args[0])
    data.expire(run, int(args[5]))
    data.expire(records, int(args[5]))
    return [b"new", 1]


def _enlist(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    now = _now(data, args[1])
    expiry = data.score(keys[0], args[0])
    if expiry is None or expiry < 0:
        data.scores(keys[0])[args[0]] = -now
        data.expire(keys[0], int(args[2]))
    return [b"ok"]


def _find(data: RedisData, keys: Sequence[bytes], _args: Sequence[bytes]) -> Reply:
    run_id, fingerprint = data.fields(keys[0], b"run_id", b"fingerprint")
    return [b"free"] if run_id is None else [b"taken", run_id, fingerprint]


def _forget(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    now = _now(data, args[1])
    expiry = data.score(keys[0], args[0])
    if expiry is not None and abs(expiry) + int(args[2]) < now:
        data.remove_members(keys[0], [args[0]])
    return [b"ok"]


def _head(data: RedisData, keys: Sequence[bytes], _args: Sequence[bytes]) -> Reply:
    names = (b"end", b"epoch", b"closed_at", b"cancel_by", b"holder", b"owner", b"read_at")
    end, epoch, *others = data.fields(keys[0], *names)
    if end is None or epoch is None:
        return [b"unknown"]
    return [b"ok", int(end), int(epoch), *others]


def _held(data: RedisData, keys: Sequence[bytes], _args: Sequence[bytes]) -> Reply:
    return [b"ok", data.members(keys[0])]


def _hold(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    if args[2:]:
        data.remove_members(keys[0], args[2:])
    if args[1]:
        data.add_members(keys[0], [args[1]])
    data.expire(keys[0], int(args[0]))
    return [b"ok"]


def _lapsed(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    return [b"ok", data.members_upto(keys[0], _now(data, args[0]), limit=1000)]


def _lease(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    expiry = data.score(keys[0], args[0])
    is_held = expiry is not None and _now(data, args[1]) < expiry
    return [b"held" if is_held else b"lapsed"]


def _note_read(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    if not data.exists(keys[0]):
        return [b"unknown"]
    data.set_fields(keys[0], b"read_at", args[0])
    return [b"ok"]


def _read(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    run, records = keys
    end, epoch, closed_at = data.fields(run, b"end", b"epoch", b"closed_at")
    if end is None or epoch is None:
        return [b"unknown"]
    first, last = int(args[0]), int(args[1])
    begin = data.last_entry(records, (first + 1, _LAST_ID))
    entries: list[object] = []
    if begin is not None and first < int(end):
        entries += data.entries(records, _id_of(begin), (last + 1, _LAST_ID))
    return [b"ok", int(end), int(epoch), closed_at, entries]


def _release(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    if data.score(keys[0], args[0]) is not None:
        data.scores(keys[0])[args[0]] = -_now(data, args[1])
    return [b"ok"]


def _renew(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    now = _now(data, args[2])
    expiry = data.score(keys[0], args[0])
    data.scores(keys[0])[args[0]] = now + int(args[1])
    data.expire(keys[0], int(args[3]))
    if expiry is None or expiry < 0:
        return [b"new"]
    return [b"held" if now < expiry else b"lapsed"]


def _take_over(data: RedisData, keys: Sequence[bytes], args: Sequence[bytes]) -> Reply:
    run, records = keys
    epoch, end, closed_at, token = data.fields(run, b"epoch", b"end", b"closed_at", b"token")
    if epoch is None or end is None:
        return [b"unknown"]
    if token == args[3]:
        return [b"ok", int(epoch), int(end)]
    if closed_at is not None:
        return [b"closed", closed_at]
    if epoch != args[0]:
        return [b"stale", int(epoch)]
    taken = max(int(epoch), int(args[1])) + 1
    data.set_fields(run, b"epoch", taken, b"holder", args[2], b"token", args[3])
    data.expire(run, int(args[4]))
    data.expire(records, int(args[4]))
    return [b"ok", taken, int(end)]


def _id_of(entry: list[object]) -> StreamId:
    assert isinstance(entry[0], bytes)
    first, _, second = entry[0].partition(b"-")
    return int(first), int(second)


SCRIPTS: Final[dict[str, Script]] = {
    "append": _append,
    "cancel": _cancel,
    "check": _check,
    "claim": _claim,
    "create": _create,
    "enlist": _enlist,
    "find": _find,
    "forget": _forget,
    "head": _head,
    "held": _held,
    "hold": _hold,
    "lapsed": _lapsed,
    "lease": _lease,
    "note_read": _note_read,
    "read": _read,
    "release": _release,
    "renew": _renew,
    "take_over": _take_over,
}
READS: Final = {"find", "head", "held", "lapsed", "lease", "read"}
