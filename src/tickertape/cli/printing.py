"""Prints an answer as it comes: exactly its text in a pipe, readable on a terminal.

stdout gets the answer and nothing else. What is about the answer goes to stderr:
errors always, thoughts and notes only where a person reads along.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Final, TextIO

from tickertape.client.text_stream import TextStream
from tickertape.core.errors import RunCancelled, TickertapeError
from tickertape.core.events import Event, ReasoningDelta, RefusalDelta, TextDelta

FAILED: Final = 1
STOPPED: Final = 130
"""As a shell counts a program that Ctrl-C (SIGINT, 2) ended."""
UNREAD: Final = 141
"""The same for a pipe that nobody reads any more (SIGPIPE, 13)."""

_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"
# Everything below a space, DEL, and the C1 range; but not tab, line feed and carriage return.
_CONTROLS: Final = dict.fromkeys({*range(32), *range(127, 160)} - {9, 10, 13})


def for_terminal(text: str) -> str:
    """Return the text without control characters: a model must not command a terminal."""
    return text.translate(_CONTROLS)


def print_answer(stream: TextStream) -> int:
    """Print the answer to its end, and return the exit code. Closes the stream."""
    printer = AnswerPrinter(sys.stdout, sys.stderr)
    try:
        with stream:
            for event in stream.events():
                printer.show(event)
        return printer.finish(stream.response.finish_reason)
    except KeyboardInterrupt:
        printer.end_line()
        return STOPPED
    except BrokenPipeError:
        # Python flushes stdout at exit, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except TickertapeError as error:
        printer.end_line()
        print(f"tickertape: {error}", file=sys.stderr)
        return STOPPED if isinstance(error, RunCancelled) else FAILED


class AnswerPrinter:
    """Writes events to two streams, and knows where the cursor is."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._is_terminal = out.isatty()
        self._shows_thoughts = err.isatty()
        self._is_thinking = False
        self._has_refused = False
        self._is_in_line = False
        if isinstance(out, io.TextIOWrapper):
            # A character that the terminal's encoding lacks must not end the answer.
            out.reconfigure(errors="replace")

    def show(self, event: Event) -> None:
        """Write what the event brings, at once.

        Raises:
            BrokenPipeError: nobody reads stdout any more.
        """
        match event:
            case TextDelta(text=text, choice=0) if text:
                self._stop_thinking()
                # Noted first: Ctrl-C may come as soon as the text is out.
                self._is_in_line = not text.endswith("\n")
                self._out.write(for_terminal(text) if self._is_terminal else text)
                self._out.flush()
            case ReasoningDelta(text=text, choice=0) if text and self._shows_thoughts:
                self._err.write(("" if self._is_thinking else _DIM) + for_terminal(text))
                self._err.flush()
                self._is_thinking = True
            case RefusalDelta(text=text, choice=0):
                self._stop_thinking()
                self._err.write(for_terminal(text))
                self._has_refused = True
            case _:
                pass

    def finish(self, finish_reason: str | None) -> int:
        """End the output of a whole answer, and return the exit code."""
        self.end_line()
        if self._has_refused:
            self._err.write("\ntickertape: the model refused\n")
            return FAILED
        if self._err.isatty() and finish_reason in {"length", "content_filter"}:
            why = "limit of tokens" if finish_reason == "length" else "content filter"
            self._err.write(f"{_DIM}[the answer was cut by the {why}]{_PLAIN}\n")
        return 0

    def end_line(self) -> None:
        """Begin a new line on a terminal that is not at the start of one."""
        self._stop_thinking()
        if self._is_terminal and self._is_in_line:
            self._out.write("\n")
            self._out.flush()
            self._is_in_line = False

    def _stop_thinking(self) -> None:
        if self._is_thinking:
            self._err.write(f"{_PLAIN}\n\n")
            self._err.flush()
            self._is_thinking = False
