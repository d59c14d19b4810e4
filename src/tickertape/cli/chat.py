"""`tickertape chat`: a conversation in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.text import Text

from tickertape.cli.display import show_evenly
from tickertape.cli.embedded import announce_embedded
from tickertape.cli.printing import for_terminal
from tickertape.client.catalogs import background_catalog
from tickertape.client.chat import make_request
from tickertape.client.provider_call import ask
from tickertape.client.text_stream import AsyncTextStream
from tickertape.core.errors import TickertapeError
from tickertape.core.request import Message
from tickertape.engine.background import background

_LEAVE: Final = frozenset({"/exit", "/quit"})


@dataclass
class Conversation:
    """What was said so far, and how to ask for more."""

    model: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    turns: list[Message] = field(default_factory=list)

    def ask(self, question: str) -> AsyncTextStream:
        """Return the answer to a question that follows what was said.

        It belongs to the background loop, where the embedded model stays loaded.
        """
        system = [Message(role="system", content=self.system)] if self.system else []
        request = make_request(
            [*system, *self.turns, Message(role="user", content=question)],
            self.model,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
        )
        return AsyncTextStream(ask(request, lend_catalog=background_catalog.lend))

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
    showing = background.submit(_show(stream, console))
    ending = ""
    try:
        try:
            showing.result()
        except KeyboardInterrupt:
            stream.cancel()
            showing.result()
    except TickertapeError as error:
        ending = str(error)
    response = stream.response
    console.print(Markdown(for_terminal(response.content)))
    if response.outcome == "cancelled":
        ending = ending or "(stopped)"
    if ending or response.state.choices.get(0) is None:
        console.print(Text(for_terminal(ending or "(no answer)"), style="yellow"))
    elif response.refusal:
        console.print(Text(for_terminal(response.refusal), style="yellow"))
    elif response.finish_reason in {"length", "content_filter"}:
        console.print(Text(f"(cut: {response.finish_reason})", style="yellow"))
    conversation.remember(question, response.content)


async def _show(stream: AsyncTextStream, console: Console) -> None:
    """Read the answer to its end, and show it on the way where there is a terminal."""
    async with stream:
        if not console.is_terminal:
            async for _ in stream:
                pass
            return
        answer = _GrowingAnswer()
        # Transient: what was shown on the way is taken back, and the whole answer printed once.
        with Live(answer, console=console, transient=True, auto_refresh=False) as live:
            answer.changed = live.refresh
            await show_evenly(stream, answer)


class _GrowingAnswer:
    """The last lines of an answer, as many as the screen has; its thoughts before it begins."""

    def __init__(self) -> None:
        self._thoughts = ""
        self._text = ""
        self.changed: Callable[[], None] = lambda: None

    def think(self, text: str) -> None:
        """Show more of what the model thinks."""
        self._thoughts += text
        self.changed()

    def write(self, text: str) -> None:
        """Show more of the answer."""
        self._text += text
        self.changed()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._content(), options, pad=False)
        for number, line in enumerate(lines[-max(1, options.size.height - 2) :]):
            if number:
                yield Segment.line()
            yield from line

    def _content(self) -> Markdown | Text:
        if self._text:
            return Markdown(for_terminal(self._text))
        return Text(for_terminal(self._thoughts) or "…", style="dim")


def _edit_lines() -> None:
    """Give `input` a line editor with a history, where the platform has one."""
    with suppress(ImportError):
        import readline  # noqa: F401
