"""What is wrong with a Redis, in words that name the place and the way out.

Knows Redis's error codes, of which an operator can do something about most.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tickertape.core.errors import ConfigurationError, LogUnavailable
from tickertape.logs.redis.port import PortLost, PortRefused

OLDEST: Final = 7
"""The oldest major version of Redis that has what the scripts need."""

_REMEDIES: Final = {
    "NOAUTH": "it needs a password: write it into the URL, redis://:password@host",
    "WRONGPASS": "the password, or the user, is wrong: correct it in the URL",
    "NOPERM": "this user may not do that: allow it all commands on our keys and channels",
    "READONLY": "it is a read-only replica: name the primary",
    "OOM": "its memory is full: raise maxmemory, or keep runs for a shorter time",
    "MISCONF": "it can't save to its disk, and so takes no writes: look at its disk",
    "NOREPLICAS": "it has fewer replicas than it must have to take writes: start them",
    "LOADING": "it is still loading its data: try again when it is done",
    "MASTERDOWN": "it is a replica without its primary: name the primary",
    "BUSY": "a script of somebody's keeps it busy: end it with SCRIPT KILL",
    "MOVED": "its cluster's nodes send us to and fro: look at the cluster",
    "ASK": "its cluster's nodes send us to and fro: look at the cluster",
    "CLUSTERDOWN": "its cluster does not serve all keys: look at the cluster",
}

TRANSIENT: Final = frozenset(
    {
        *("LOADING", "READONLY", "BUSY", "MASTERDOWN", "NOREPLICAS"),
        *("CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK"),
    }
)
"""What passes by itself: a restart, a failover, a moved slot, somebody else's script."""


def unavailable(error: PortLost | PortRefused, place: str) -> LogUnavailable:
    """Return what the log raises in place of the port's error."""
    return LogUnavailable(f"the log at {place} can't be used now: {_described(error)}")


def at_open(error: PortLost | PortRefused | LogUnavailable, place: str) -> ConfigurationError:
    """Return what opening the log raises."""
    if isinstance(error, PortLost):
        return ConfigurationError(
            f"can't open the log: {error}; start Redis there, or correct the URL"
        )
    said = str(error) if isinstance(error, LogUnavailable) else _described(error)
    return ConfigurationError(f"can't open the log at {place}: {said}")


def version_error(about: Mapping[str, str], place: str) -> ConfigurationError | None:
    """Return what is wrong with the version that Redis says it has."""
    version = about.get("redis_version", "")
    major = version.partition(".")[0]
    if not major.isdigit() or int(major) >= OLDEST:
        return None
    return ConfigurationError(
        f"can't open the log at {place}: it is Redis {version}, and the log needs {OLDEST} "
        "or later, or Valkey: update it"
    )


def volatile_warning(about: Mapping[str, str], place: str) -> str | None:
    """Return what an operator should know of a Redis that drops keys when its memory is full."""
    policy = about.get("maxmemory_policy", "noeviction")
    if policy == "noeviction" or about.get("maxmemory", "0") == "0":
        return None
    return (
        f"Redis at {place} drops runs when its memory is full (maxmemory-policy {policy}): "
        "set it to noeviction, so that it refuses new ones instead"
    )


def _described(error: PortLost | PortRefused) -> str:
    if isinstance(error, PortLost):
        return str(error)
    remedy = _REMEDIES.get(error.code)
    return f"{error}; {remedy}" if remedy else str(error)
