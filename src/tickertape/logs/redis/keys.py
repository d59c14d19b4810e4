"""How the Redis log's keys and channels are named: all begin with its prefix.

What belongs to one run has the run's id in braces, which puts it into one hash slot
of a cluster, its channel included; so has what belongs to one idempotency key, and to
one holder.
"""

from __future__ import annotations

import hashlib

import msgspec

from tickertape.core.errors import ConfigurationError


class RedisKeys:
    """The names under one prefix."""

    def __init__(self, prefix: str) -> None:
        """Raise `ConfigurationError` where the prefix has braces: they choose the slot."""
        if "{" in prefix or "}" in prefix:
            raise ConfigurationError(
                f"the prefix {prefix!r} has a brace in it, which has a meaning in Redis: "
                "choose one without"
            )
        self._prefix = prefix.encode()
        self.leases = self._prefix + b"leases"
        self.check = self._prefix + b"check"
        self.cancels = self._prefix + b"cancels"
        """The channel of all cancel requests."""
        self._tape = self._prefix + b"tape:"

    def run(self, run_id: str) -> tuple[bytes, bytes]:
        """Return the keys of what is known of a run, and of its records."""
        name = run_id.encode()
        return b"%brun:{%b}" % (self._prefix, name), b"%brecords:{%b}" % (self._prefix, name)

    def tape(self, run_id: str) -> bytes:
        """Return the channel of a run's appends."""
        return b"%b{%b}" % (self._tape, run_id.encode())

    def run_of(self, tape: bytes) -> str:
        """Return the run whose channel it is."""
        return tape[len(self._tape) + 1 : -1].decode()

    def idempotency(self, key: str, owner: str | None) -> bytes:
        """Return the key of an owner's idempotency key, which does not tell them."""
        digest = hashlib.sha256(msgspec.json.encode((owner, key))).hexdigest().encode()
        return b"%bkey:{%b}" % (self._prefix, digest)

    def held(self, holder: str) -> bytes:
        """Return the key of the runs that a holder may hold."""
        return b"%bheld:{%b}" % (self._prefix, holder.encode())
