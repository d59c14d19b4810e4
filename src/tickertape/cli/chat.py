"""`tickertape chat`: a conversation in the terminal."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.text import Text

from tickertape.cli.embedded import announce_embedded
from tickertape.cli.printing import for_terminal
from tickertape.client.chat import stream_chat
from tickertape.client.response import StreamedResponse
from tickertape.client.text_stream import TextStream
from tickertape.core.errors import TickertapeError
from tickertape.core.request import Message

_LEAVE: Final = frozenset({"/exit", "/quit"})
_REFRESHES_PER_S: Final = 12
"""Markdown is laid out anew for each; a person reads no faster."""


@dataclass
class Conversation:
    """What was said so far, and how to ask for more."""

    model: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    turns: list[Message] = field(default_factory=list)

    def ask(self, question: str) -> TextStream:
        """Return the answer to a question that follows what was said."""
        system = [Message(role="system", content=self.system)] if self.system else []
        return stream_chat(
            [*system, *self.turns, Message(role="user", content=question)],
            self.model,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
        )

    def remember(self, question: str, answer: str) -> None:
        """Add a turn. One that brought no text is as if it had not been."""
        if answer:
            self.turns.append(Message(role="user", content=question))
            self.turns.append(Message(role="assistant", content=answer))


def converse(conversation: Conversation) -> None:
    """Ask and answer until Ctrl-D or /exit."""
    _edit_lines()
    announce_embedded(conversation.model)
    console = Console(highlight=False)
    console.print("Ctrl-C stops an answer; Ctrl-D or /exit leaves.", style="dim")
    while (question := _read_question(console)) is not None:
        if question:
            _answer(conversation, question, console)


def _read_question(console: Console) -> str | None:
    """Return the next line, empty after Ctrl-C; None when it was the last."""
    try:
        line = input("> ").strip()
    except KeyboardInterrupt:
        console.print()
        return ""
    except EOFError:
        console.print()
        return None
    return None if line in _LEAVE else line


def _answer(conversation: Conversation, question: str, console: Console) -> None:
    stream = conversation.ask(question)
    ending = ""
    try:
        with stream, _live(stream.response, console):
            for _ in stream:
                pass
    except KeyboardInterrupt:
        ending = "(stopped)"
    except TickertapeError as error:
        ending = str(error)
    response = stream.response
    console.print(Markdown(for_terminal(response.content)))
    if ending or response.state.choices.get(0) is None:
        console.print(Text(for_terminal(ending or "(no answer)"), style="yellow"))
    elif refusal := response.state.choices[0].refusal:
        console.print(Text(for_terminal(refusal), style="yellow"))
    elif response.finish_reason in {"length", "content_filter"}:
        console.print(Text(f"(cut: {response.finish_reason})", style="yellow"))
    conversation.remember(question, response.content)


def _live(response: StreamedResponse, console: Console) -> Live:
    # Transient: what was shown on the way is taken back, and the whole answer printed once.
    return Live(
        _GrowingAnswer(response),
        console=console,
        transient=True,
        refresh_per_second=_REFRESHES_PER_S,
    )


class _GrowingAnswer:
    """The last lines of an answer, as many as the screen has."""

    def __init__(self, response: StreamedResponse) -> None:
        self._response = response

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._content(), options, pad=False)
        for number, line in enumerate(lines[-max(1, options.size.height - 2) :]):
            if number:
                yield Segment.line()
            yield from line

    def _content(self) -> Markdown | Text:
        if self._response.chunks:
            return Markdown(for_terminal(self._response.content))
        choice = self._response.state.choices.get(0)
        thoughts = choice.reasoning if choice is not None else ""
        return Text(for_terminal(thoughts) or "…", style="dim")


def _edit_lines() -> None:
    """Give `input` a line editor with a history, where the platform has one."""
    with suppress(ImportError):
        import readline  # noqa: F401
