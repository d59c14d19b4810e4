"""What a stream has brought so far, as one value that grows.

Knows events only; where they come from is the stream's business.
"""

from __future__ import annotations

from typing import Final

from tickertape.core.events import (
    AttemptEnded,
    Event,
    FinishReason,
    Outcome,
    RunStarted,
    TextDelta,
    Usage,
)
from tickertape.core.run_state import Phase, RunState, ToolCall

_UNSEEN: Final = RunStarted(run_id="", model="", provider="", created_at=0.0)


class StreamedResponse:
    """An answer, as far as it has been read. Whole when `outcome` is `completed`."""

    __slots__ = ("chunks", "state")

    def __init__(self) -> None:
        self.chunks: list[str] = []
        """Choice 0's text in the pieces in which it was handed out."""
        self.state = RunState()
        """Everything else: who answered, other choices, filters, timings."""

    @property
    def content(self) -> str:
        """Return choice 0's text so far."""
        return "".join(self.chunks)

    @property
    def total_chunks(self) -> int:
        """Return in how many pieces the text came."""
        return len(self.chunks)

    @property
    def finish_reason(self) -> FinishReason | None:
        """Return why the model stopped choice 0; None until it says so."""
        state = self.state
        if state.ended is not None:
            return state.ended.finish_reason
        return state.choices[0].finish_reason if 0 in state.choices else None

    @property
    def usage(self) -> Usage | None:
        """Return what the provider will bill; None until it says so."""
        ended = self.state.ended
        return ended.usage if ended is not None else self.state.usage

    @property
    def outcome(self) -> Outcome | None:
        """Return how the run ended; None while it has not, or if it was left before its end."""
        return None if self.state.ended is None else self.state.ended.outcome

    @property
    def reasoning(self) -> str:
        """Return what choice 0's model thought aloud so far; it is not part of `content`."""
        return self.state.choices[0].reasoning if 0 in self.state.choices else ""

    @property
    def refusal(self) -> str:
        """Return the words in which choice 0's model refused, if it did."""
        return self.state.choices[0].refusal if 0 in self.state.choices else ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """Return choice 0's tool calls so far, in their order."""
        calls = self.state.choices[0].tool_calls if 0 in self.state.choices else {}
        return [calls[index] for index in sorted(calls)]

    @property
    def attempts(self) -> list[AttemptEnded]:
        """Return what was tried before it spoke; empty where the first attempt did."""
        return self.state.attempts

    def apply(self, event: Event) -> str:
        """Take in the next event and return what it adds to the text, often nothing."""
        if self.state.phase is Phase.PENDING and type(event) is not RunStarted:
            # Who joins a run in the middle does not see its start.
            self.state.apply(_UNSEEN)
            self.state.started = None
        self.state.apply(event)
        if type(event) is TextDelta and not event.choice and event.text:
            self.chunks.append(event.text)
            return event.text
        return ""

    def __repr__(self) -> str:
        return (
            f"StreamedResponse(content={self.content!r}, total_chunks={self.total_chunks}, "
            f"finish_reason={self.finish_reason!r}, outcome={self.outcome!r})"
        )
