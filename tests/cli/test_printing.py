"""Printing: what goes where, and where lines end."""

from __future__ import annotations

import io

import pytest

from tickertape.cli.printing import AnswerPrinter, for_terminal
from tickertape.core.events import ReasoningDelta, RefusalDelta, TextDelta


class Terminal(io.StringIO):
    """A stream that says that a person reads it."""

    def isatty(self):
        return True


def printed(*events, out=None, err=None, finish_reason="stop"):
    """Return what stdout and stderr have after a whole answer, and the exit code."""
    out, err = out or io.StringIO(), err or io.StringIO()
    printer = AnswerPrinter(out, err)
    for event in events:
        printer.show(event)
    code = printer.finish(finish_reason)
    return out.getvalue(), err.getvalue(), code


def test_text_is_written_as_it_is():
    """To a pipe: not a character more."""
    assert ("a\x1bb", "", 0) == printed(TextDelta("a\x1b"), TextDelta("b"), TextDelta("x", 1))


@pytest.mark.parametrize(("text", "written"), [("ab", "ab\n"), ("ab\n", "ab\n"), ("", "")])
def test_a_terminal_gets_a_last_newline_if_the_text_has_none(text, written):
    """So that the shell's prompt has a line of its own."""
    assert (written, "", 0) == printed(TextDelta(text), out=Terminal())


def test_thoughts_are_dim_and_apart():
    """On a terminal's stderr, before the answer."""
    events = ReasoningDelta("h"), ReasoningDelta("m"), TextDelta("a")
    assert ("a", "\x1b[2mhm\x1b[0m\n\n", 0) == printed(*events, err=Terminal())


def test_thoughts_alone_end_plain():
    """A terminal must not stay dim."""
    assert ("", "\x1b[2mhm\x1b[0m\n\n", 0) == printed(ReasoningDelta("hm"), err=Terminal())


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
def test_a_cut_is_noted_for_people(finish_reason):
    """Not in a pipe."""
    _, noted, code = printed(TextDelta("a"), err=Terminal(), finish_reason=finish_reason)
    assert ("cut" in noted, code) == (True, 0)
    assert ("a", "", 0) == printed(TextDelta("a"), finish_reason=finish_reason)


def test_a_refusal_is_a_failure():
    """Its words go to stderr."""
    out, err, code = printed(RefusalDelta("No, "), RefusalDelta("thanks."))
    assert ("", True, 1) == (out, err.startswith("No, thanks.\n"), code)


def test_control_characters_are_for_programs():
    """Line ends and tabs stay; what moves the cursor or sets the clipboard goes."""
    assert "a\tb\r\nc[2J東" == for_terminal("a\tb\r\nc\x1b[2J\x07\x9b\x7f東")
