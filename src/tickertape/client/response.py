"""What a stream has brought so far, as one value that grows.

Knows events only; where they come from is the stream's business.
"""

from __future__ import annotations

from typing import Final

from tickertape.core.events import Event, FinishReason, Outcome, RunStarted, TextDelta, Usage
from tickertape.core.run_state import Phase, RunState

_UNSEEN: Final = RunStarted(run_id="", model="", provider="", created_at=0.0)


class StreamedResponse:
    """An answer, as far as it has been read. Whole when `outcome` is `completed`."""

    __slots__ = ("chunks", "state")

    def __init__(self) -> None:
        self.chunks: list[str] = []
        """Choice 0's text in the pieces in which it was handed out."""
        self.state = RunState()
        """Everything else: reasoning, refusals, tool calls, other choices, timings."""

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
