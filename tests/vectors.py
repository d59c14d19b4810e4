"""The vectors of `conformance/`, and the ways to cut their bytes.

Knows the two value forms that `conformance/README.md` describes; what a folder's
vectors mean is its test's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

FOLDER = Path(__file__).parent.parent / "conformance"

Form: TypeAlias = "str | dict[str, Any] | list[Form]"

# Beyond this size a sample of cuts has to do: every cut is two feeds of the whole.
EVERY_CUT_BYTES = 1024


@dataclass(frozen=True)
class Vector:
    """One case: its fields as in the JSON, and a name that is unique in its folder."""

    name: str
    """The file's stem, a slash, and the vector's own name."""
    fields: dict[str, Any]

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]

    def get(self, field: str, default: Any = None) -> Any:
        """Return a field that may be left out."""
        return self.fields.get(field, default)


def vectors(folder: str, file: str = "*") -> list[Vector]:
    """Return every vector in a folder of `conformance/`, or of one file (a stem) there."""
    found = [
        Vector(f"{path.stem}/{fields['name']}", fields)
        for path in sorted((FOLDER / folder).glob(f"{file}.json"))
        for fields in json.loads(path.read_text("utf-8"))
    ]
    names = [vector.name for vector in found]
    assert names, f"no vectors in conformance/{folder}"
    assert len(set(names)) == len(names), f"two vectors of one name in conformance/{folder}"
    return found


def by_name(vector: Vector) -> str:
    """Name a parametrised test after its vector: `ids=by_name`."""
    return vector.name


def to_bytes(form: Form) -> bytes:
    """Return the bytes that a form stands for."""
    match form:
        case str():
            return form.encode()
        case list():
            return b"".join(to_bytes(part) for part in form)
        case {"hex": str(digits)}:
            return bytes.fromhex(digits)
        case {"repeat": part, "times": int(times)}:
            return to_bytes(part) * times
        case _:
            raise ValueError(f"not a form of bytes: {form!r}")


def to_text(form: Form) -> str:
    """Return the text that a form stands for."""
    return to_bytes(form).decode()


def splits(data: bytes) -> Iterator[list[bytes]]:
    """Yield ways in which `data` may arrive.

    Whole; byte by byte; cut in two at every position. When it is large: in pieces
    of several sizes, and cut in two at a sample of positions.
    """
    yield [data]
    if len(data) <= EVERY_CUT_BYTES:
        yield pieces(data, 1)
        positions = list(range(len(data) + 1))
    else:
        yield from (pieces(data, size) for size in (97, 4096, 65_536))
        middle = len(data) // 2
        positions = [*range(12), *range(middle, middle + 4), *range(len(data) - 12, len(data))]
    yield from ([data[:position], data[position:]] for position in positions)


def pieces(data: bytes, size: int) -> list[bytes]:
    """Return `data` in pieces of `size` bytes; the last one may be shorter."""
    return [data[start : start + size] for start in range(0, len(data), size)]
