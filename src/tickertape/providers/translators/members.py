"""Members of JSON values that may have any shape: what is not as expected is None."""

from __future__ import annotations


def member(value: object, name: str) -> object:
    """Return an object's member; None where there is none, or no object."""
    return value.get(name) if isinstance(value, dict) else None


def count(counts: object, name: str) -> int | None:
    """Return a member that is a count; None where it is anything else."""
    number = member(counts, name)
    # Above 2**53 JavaScript can't hold it; a bool is no count.
    return number if type(number) is int and 0 <= number < 2**53 else None


def text(value: object, name: str) -> str:
    """Return a member that is a string; "" where it is anything else."""
    found = member(value, name)
    return found if isinstance(found, str) else ""


def items(value: object, name: str) -> list[object]:
    """Return a member that is a list; an empty one where it is anything else."""
    found = member(value, name)
    return found if isinstance(found, list) else []
