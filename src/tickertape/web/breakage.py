"""The routes of a server in development that breaks things on command.

`GET /faults` lists what can be done to a run, `POST /faults/{action}` does it: to its
readers' connections, to its provider's, or to its writer. Readers, page and engine
must then do what they promise; nothing else is told that it was done on purpose.
Every action lives in `ACTIONS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from tickertape.core.errors import (
    InvalidRequest,
    ProviderError,
    TickertapeError,
)
from tickertape.engine.engine import Engine
from tickertape.engine.tail import Tail
from tickertape.providers.base import Provider, Route
from tickertape.web.breakable import BreakableModels, BreakableProvider, Breakage, WriterLost
from tickertape.web.handlers import AnyReply, Call, Handlers
from tickertape.web.limits import Limits
from tickertape.web.replies import json_reply, refuse
from tickertape.wires.native import NativeFeed

logger = logging.getLogger("tickertape.web")

OpenFaultProvider: TypeAlias = Callable[
    [], AbstractAsyncContextManager[tuple[Provider, Sequence[str]]]
]
"""Opens a provider that misbehaves by itself, and says which of its models to show."""


class Action(Struct, frozen=True):
    """Something that can be done to a run."""

    name: str
    label: str
    description: str


ACTIONS: Final = (
    Action("cut", "Cut the connection", "Breaks off every reader of this answer. The run goes on."),
    Action("stall", "Stall", "The model falls silent, with its connection open."),
    Action("kill", "Kill the model's connection", "Breaks it in the middle of the answer."),
    Action("lose", "Lose the writer", "As if the process that writes this answer had died."),
    Action("slow", "Slow down", "About one word at a time."),
    Action("burst", "Send in bursts", "Text comes every 1.5 seconds, all at once."),
    Action("go-on", "Go on as usual", "Ends a stall, a slow pace or bursts."),
)


class ReaderCut(TickertapeError):
    """Somebody wanted this reader's connection to break."""


class CuttableFeed(NativeFeed):
    """A feed that can be broken off without an end."""

    def __init__(self, tail: Tail, feeds: set[CuttableFeed]) -> None:
        """Stay in `feeds` until it is closed."""
        super().__init__(tail)
        self._feeds = feeds
        self._is_cut = False
        feeds.add(self)

    async def next(self) -> bytes:
        """See `NativeFeed.next`.

        Raises:
            ReaderCut: the feed was cut.
        """
        block = await super().next()
        if self._is_cut:
            raise ReaderCut("cut on command")
        return block

    def cut(self) -> None:
        """Break off: the next write does not come."""
        self._is_cut = True
        self.close()

    def close(self) -> None:
        """See `NativeFeed.close`."""
        self._feeds.discard(self)
        super().close()


class BreakableHandlers(Handlers):
    """The routes, and those that break what they serve."""

    def __init__(
        self, engine: Engine, models: BreakableModels, *, limits: Limits | None = None
    ) -> None:
        super().__init__(engine, models, limits=limits)
        # A breakage belongs to its providers, and these to the run: it goes with the run.
        self._breakages: WeakValueDictionary[str, Breakage] = WeakValueDictionary()
        self._feeds: dict[str, set[CuttableFeed]] = {}

    def describe_models(self) -> dict[str, object]:
        """Say that there are faults, too: the page need not ask a server that has none."""
        return {**super().describe_models(), "has_faults": True}

    async def list_faults(self) -> AnyReply:
        """`GET /faults`: what can be done to a run."""
        return json_reply({"actions": ACTIONS})

    async def do_fault(self, call: Call, action: str) -> AnyReply:
        """`POST /faults/{action}`: do it to the run that the body names."""
        return await self._answer(self._do_fault(call, action))

    def note_start(self, run_id: str, routes: Sequence[Route]) -> None:
        """Remember whose the breakage is."""
        provider = routes[0].provider
        if isinstance(provider, BreakableProvider):
            self._breakages[run_id] = provider.breakage

    def make_feed(self, run_id: str, tail: Tail) -> NativeFeed:
        """Return a feed that can be cut."""
        self._feeds = {run_id: feeds for run_id, feeds in self._feeds.items() if feeds}
        return CuttableFeed(tail, self._feeds.setdefault(run_id, set()))

    def note_failure(self, error: TickertapeError) -> None:
        """Keep quiet about what was done on purpose."""
        if not isinstance(error, ReaderCut):
            super().note_failure(error)

    async def _do_fault(self, call: Call, action: str) -> AnyReply:
        if all(action != each.name for each in ACTIONS):
            return refuse(404, "not_found", f"there is no fault {action!r}; GET /faults has them")
        run_id = _run_id(call)
        head = await self.engine.head(run_id, owner=call.owner)
        is_cut = action == "cut"
        # A run that has ended may have readers; its stream may linger for a moment.
        if not ((is_cut or not head.is_closed) and self._do(action, run_id)):
            return refuse(409, "nothing_to_break", _NOTHING[is_cut])
        logger.info("run %s: %s, on command", run_id, action)
        return json_reply({"action": action, "run_id": run_id})

    def _do(self, action: str, run_id: str) -> bool:
        """Do it, and return whether there was anything to do it to."""
        if action == "cut":
            feeds = list(self._feeds.get(run_id, ()))
            for feed in feeds:
                feed.cut()
            return bool(feeds)
        breakage = self._breakages.get(run_id)
        if breakage is None:
            return False
        match action:
            case "stall":
                return breakage.set_pace("stalled")
            case "slow":
                return breakage.set_pace("slow")
            case "burst":
                return breakage.set_pace("bursts")
            case "go-on":
                return breakage.set_pace("normal")
            case "kill":
                return breakage.break_off(
                    ProviderError("truncated", "The answer broke off.", is_retryable=True)
                )
            case "lose":
                return breakage.break_off(WriterLost("lost on command"))
            case _:
                raise AssertionError(f"the action {action!r} is in the list, and nothing does it")


# By whether it was the readers that were to be cut.
_NOTHING: Final = {
    True: "nobody reads this run here now",
    False: "this run has ended, has no answer yet, or is stored by its provider",
}


def _run_id(call: Call) -> str:
    # Other sites can't send this type without asking first, which nobody here allows.
    content_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise InvalidRequest("send application/json", param="Content-Type")
    try:
        return msgspec.json.decode(call.body, type=_Fault).run_id
    except msgspec.DecodeError as error:
        raise InvalidRequest(f'the body must be {{"run_id": "…"}}: {error}') from error


class _Fault(Struct):
    run_id: str
