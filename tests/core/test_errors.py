"""The tree of errors: one root, drawn in the docstring as it is in the code."""

from __future__ import annotations

import inspect
import re

import pytest

from tickertape.core import errors
from tickertape.core.errors import (
    CursorBeyondEnd,
    EventTooLarge,
    MissingExtra,
    RunFailed,
    TickertapeError,
)
from tickertape.core.events import RunError

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and value.__module__ == errors.__name__
]


def drawn_tree() -> dict[str, str]:
    """Return each class that the module's docstring draws, and the one it hangs from."""
    assert errors.__doc__ is not None
    parents: dict[str, str] = {}
    branch = ["TickertapeError"]
    for prefix, name in re.findall("^([│ ]*[├└]── )([A-Za-z]+)", errors.__doc__, re.MULTILINE):
        depth = len(prefix) // 4
        branch[depth:] = [name]
        parents[name] = branch[depth - 1]
    return parents


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_is_under_the_root(error):
    """`except TickertapeError` catches all that we raise, and nothing of Python's by accident."""
    assert issubclass(error, TickertapeError)
    assert (Exception,) == TickertapeError.__bases__


def test_the_docstring_draws_the_tree_that_the_code_has():
    """Every class stands there under its base, and nothing that does not exist."""
    expected = {
        error.__name__: error.__bases__[0].__name__
        for error in CLASSES
        if error is not TickertapeError
    }
    assert expected == drawn_tree()


def test_every_error_has_one_base():
    """A tree, so that the branch tells what the catcher does next."""
    assert [] == [error for error in CLASSES if len(error.__bases__) != 1]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_fields_in_the_docstring_tree_are_those_of_the_class(error):
    """What the tree promises as `.field` is set by the constructor."""
    assert errors.__doc__ is not None
    line = re.search(rf"── {error.__name__}\b(.*)", errors.__doc__)
    for field in re.findall(r"\.(\w+)", line[1].split(":")[0] if line else ""):
        assert f"self.{field} = " in inspect.getsource(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MissingExtra("serve", needed_for="the server"), ["the server", '"tickertape[serve]"']),
        (EventTooLarge(10), ["10 bytes", "max_event_bytes"]),
        (CursorBeyondEnd(9, end_offset=3), ["cursor 9", "end offset is 3", "from the beginning"]),
        (RunFailed(RunError(code="stalled", message="no text for 30 s")), ["stalled", "30 s"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_messages_name_the_value_and_the_way_out(error, words):
    """A message alone must be enough to act on."""
    assert [] == [word for word in words if word not in str(error)]
