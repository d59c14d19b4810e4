"""What a run is, after the events so far: the legal order, and the fold.

Every transition lives in `NEXT`. Knows events only; where they come from, and
at which offsets, is the log's business.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, assert_never

from tickertape.core.errors import IllegalEvent
from tickertape.core.events import (
    AnswerStored,
    AttemptEnded,
    ChoiceFinished,
    Event,
    FilterReported,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    RunEnded,
    RunStarted,
    TextDelta,
    ToolCallDelta,
    UnknownEvent,
    Usage,
    UsageReported,
)


class Phase(Enum):
    """Where a run is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"


NEXT: Final[dict[Phase, dict[type[Event], Phase]]] = {
    Phase.PENDING: {RunStarted: Phase.RUNNING},
    Phase.RUNNING: {
        AttemptEnded: Phase.RUNNING,
        AnswerStored: Phase.RUNNING,
        TextDelta: Phase.RUNNING,
        ReasoningDelta: Phase.RUNNING,
        RefusalDelta: Phase.RUNNING,
        ToolCallDelta: Phase.RUNNING,
        FilterReported: Phase.RUNNING,
        UsageReported: Phase.RUNNING,
        ChoiceFinished: Phase.RUNNING,
        UnknownEvent: Phase.RUNNING,
        RunEnded: Phase.ENDED,
    },
    Phase.ENDED: {},
}


class ToolCall:
    """One tool call, as far as it has arrived."""

    __slots__ = ("_arguments", "id", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name: str | None = None
        self._arguments: list[str] = []

    def apply(self, delta: ToolCallDelta) -> None:
        """Add one fragment. The first id and name count, and empty ones are none."""
        self.id = self.id or delta.id or None
        self.name = self.name or delta.name or None
        self._arguments.append(delta.arguments)

    @property
    def arguments(self) -> str:
        """Return the JSON text so far; complete only when the choice has finished."""
        return "".join(self._arguments)


class Choice:
    """One of the n answers of a run, as far as it has arrived."""

    __slots__ = (
        "_reasoning",
        "_refusal",
        "_text",
        "finish_reason",
        "raw_finish_reason",
        "tool_calls",
    )

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self.tool_calls: dict[int, ToolCall] = {}
        self.finish_reason: FinishReason | None = None
        self.raw_finish_reason: str | None = None

    @property
    def text(self) -> str:
        """Return the answer so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """Return the thoughts so far."""
        return "".join(self._reasoning)

    @property
    def refusal(self) -> str:
        """Return the refusal so far."""
        return "".join(self._refusal)

    def apply(
        self, event: TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta | ChoiceFinished
    ) -> None:
        """Add what one event says about this choice."""
        match event:
            case TextDelta():
                self._text.append(event.text)
            case ReasoningDelta():
                self._reasoning.append(event.text)
            case RefusalDelta():
                self._refusal.append(event.text)
            case ToolCallDelta():
                self.tool_calls.setdefault(event.index, ToolCall()).apply(event)
            case ChoiceFinished():
                self.finish_reason = event.finish_reason
                self.raw_finish_reason = event.raw_finish_reason
            case _:
                assert_never(event)


class RunState:
    """The fold of a run's events. Holds everything a reader could want to know."""

    __slots__ = (
        "_next",
        "attempts",
        "choices",
        "ended",
        "filters",
        "length",
        "phase",
        "started",
        "stored",
        "usage",
    )

    def __init__(self) -> None:
        self.phase = Phase.PENDING
        self._next = NEXT[Phase.PENDING]
        self.started: RunStarted | None = None
        self.attempts: list[AttemptEnded] = []
        """Empty where the first attempt was the only one."""
        self.stored: AnswerStored | None = None
        """Where another process can read the answer again; None: nowhere."""
        self.choices: dict[int, Choice] = {}
        self.filters: list[FilterReported] = []
        self.usage: Usage | None = None
        self.length = 0
        """All answer text so far, in code points."""
        self.ended: RunEnded | None = None

    @property
    def text(self) -> str:
        """Return choice 0's answer so far."""
        return self.choices[0].text if 0 in self.choices else ""

    def apply(self, event: Event) -> None:
        """Take in the next event.

        Raises:
            IllegalEvent: it may not come now; the state is as before.
        """
        phase = self._next.get(type(event))
        if phase is None:
            raise IllegalEvent(
                f"{type(event).__name__} may not come while a run is {self.phase.value}"
            )
        if phase is not self.phase:
            self.phase = phase
            self._next = NEXT[phase]
        match event:
            case TextDelta():
                self.length += len(event.text)
                self._choice(event.choice).apply(event)
            case ReasoningDelta() | RefusalDelta() | ToolCallDelta() | ChoiceFinished():
                self._choice(event.choice).apply(event)
            case RunStarted():
                self.started = event
            case AttemptEnded():
                self.attempts.append(event)
            case AnswerStored():
                self.stored = event
            case FilterReported():
                self.filters.append(event)
            case UsageReported():
                self.usage = event.usage
            case RunEnded():
                self.ended = event
            case UnknownEvent():
                pass
            case _:
                assert_never(event)

    def _choice(self, index: int) -> Choice:
        choice = self.choices.get(index)
        if choice is None:
            choice = self.choices[index] = Choice()
        return choice
