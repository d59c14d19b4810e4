"""The scripts that the Redis log is made of, by name: the text of the files beside this one.

Each opens with its keys, arguments and replies. A reply is a list whose first item
is a word. Numbers are decimal; `now` is in milliseconds, or empty, for Redis's own
clock. Times in seconds are kept as they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SCRIPTS: Final[Mapping[str, str]] = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted(Path(__file__).parent.glob("*.lua"))
}
