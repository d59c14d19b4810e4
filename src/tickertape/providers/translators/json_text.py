r"""JSON as providers write it, where it is not quite what the standard allows.

msgspec reads all of it but one thing: an escaped half of a UTF-16 surrogate pair
(`"\ud83d"`), which some providers send when a token ends inside a character. Such
a text, and only such, goes through `json`. Knows no protocol.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

import msgspec

from tickertape.providers.translators.surrogates import without_surrogates

UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)
"""What reading any bytes as JSON of some shape may raise."""

_lone_half: Final = re.compile(r"\\u[dD][89a-fA-F]")


def has_cut_character(data: str) -> bool:
    """Tell whether msgspec may refuse the text only because a character was cut in two."""
    return _lone_half.search(data) is not None


def read_json(data: str | bytes) -> object:
    """Return any JSON value, without lone surrogates.

    Raises:
        ValueError: not JSON, or beyond what can be held.
    """
    try:
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError:
            return without_surrogates(read_halves(data))
    except UNREADABLE as error:
        raise ValueError(str(error)) from error


def read_halves(data: str | bytes) -> object:
    """Return any JSON value; its strings may hold lone surrogates.

    Raises:
        ValueError, RecursionError: not JSON, or nested too deeply.
    """
    loaded: object = json.loads(data, parse_constant=_refuse, parse_int=_bounded_int)
    return loaded


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _bounded_int(digits: str) -> int | float:
    # int() refuses thousands of digits, where msgspec takes them for a float.
    return int(digits) if len(digits) < 19 else float(digits)
