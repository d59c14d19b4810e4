"""A text that arrives in bursts, as Azure's content filter lets it through.

Made without chance, so that runs can be compared. The sizes and pauses are those that
Azure's default (buffered) filter shows: some 60 to 120 characters every 300 to 600 ms.
"""

from __future__ import annotations

import random
import re
from typing import Final, NamedTuple

_TEXT: Final = (
    "A ticker tape prints every word as it arrives, and keeps the strip. Tear it anywhere, walk "
    "to another room, and pick it up where you left off. A model's answer is such a strip: its "
    "words come unevenly, some one by one, most of them in bursts, because a filter reads each "
    "sentence before it lets it go. People read at a pace of their own, naïve or not, and a text "
    "that jumps is harder to follow than one that flows — whatever the language: 答えは少しずつ "
    "届く, ответ приходит частями, उत्तर टुकड़ों में आता है, and a family 👨‍👩‍👧 stays one. "
)


class Delta(NamedTuple):
    """A piece of text, and when it arrives."""

    at_s: float
    text: str


def bursts(count: int, *, seed: int = 0) -> list[Delta]:
    """Return the deltas of `count` bursts; those of one burst arrive at one moment."""
    chance = random.Random(seed)
    # As models cut text: a word with the blank before it, or a bit of punctuation.
    tokens = re.findall(r" ?[^\W_]+|\s?[^\w\s]+|\s", _TEXT * (count // 4 + 1))
    arrived: list[Delta] = []
    at_s, token = 0.5, iter(tokens)
    for _ in range(count):
        chars = chance.randint(60, 120)
        while chars > 0:
            arrived.append(Delta(at_s, next(token)))
            chars -= len(arrived[-1].text)
        at_s += chance.randint(300, 600) / 1000
    return arrived


def steady(count: int, *, seed: int = 0) -> list[Delta]:
    """Return `count` deltas one by one, 20 ms apart on average, as no filter holds them up."""
    chance = random.Random(seed)
    tokens = re.findall(r" ?[^\W_]+|\s?[^\w\s]+|\s", _TEXT * (count // 80 + 1))
    arrived: list[Delta] = []
    at_s = 0.5
    for text in tokens[:count]:
        arrived.append(Delta(at_s, text))
        at_s += round(chance.expovariate(1 / 0.02), 4)
    return arrived
