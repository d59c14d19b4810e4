"""The fault server as one more provider of a server in development: `faults/stall` and others.

The catalog's faults by their names, and two answers that behave: one to look at,
and a long one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tickertape.providers.base import Provider
from tickertape.providers.http import HttpTransport
from tickertape.providers.openai import OpenAIProvider
from tickertape.testing.answers import Answer
from tickertape.testing.fault_catalog import ENTRIES
from tickertape.testing.fault_server import FaultServer
from tickertape.testing.faults import Faults
from tickertape.testing.scenarios import Scenario, Turn

NAME: Final = "faults"

SHOWN: Final = (
    "answer",
    "long",
    "slow",
    "bursts",
    "stall",
    "silent",
    "truncated",
    "reset",
    "error-in-stream",
    "rate-limited",
    "rate-limited-once",
    "filtered-answer",
)
"""What a list of models should have; the others of the catalog can be named as well."""

_MARKDOWN: Final = """\
# The ticker tape

A **ticker tape** was the first machine that printed *as it heard*. It ran from \
the 1870s on, one character at a time, and nobody waited for the end of the day.

## What it was good at

1. Every price was printed once.
2. The strip stayed, so that one could go back and read it again.
3. Whoever came late began at the end of somebody else's strip.

| year | characters a second | said by |
|-----:|:-------------------:|:--------|
| 1870 | about 1             | a clerk |
| 1930 | about 8             | `ticker` |
| 2026 | as many as you read | 東京 🙂 |

```python
def print_all(strip):
    for symbol, price in strip:
        print(f"{symbol:>4} {price:8.2f}")  # one line for each
```

> What was torn off could be glued on again: it said on it where it belonged.

- [ ] Tear it
- [x] Glue it

That is all. A line with `code`, a [link](https://example.org/tape), and an end.
"""


@asynccontextmanager
async def open_fault_provider(
    *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[tuple[Provider, Sequence[str]]]:
    """Start a fault server; give the provider that asks it, and the models to show.

    Every pause of its answers goes through `sleep`.
    """
    async with FaultServer(_scenario(), sleep=sleep) as server, HttpTransport() as transport:
        provider = OpenAIProvider(
            transport, base_url=server.openai_base_url, api_key=server.api_key, name=NAME
        )
        try:
            yield provider, SHOWN
        finally:
            await provider.close()


def _scenario() -> Scenario:
    models = {entry.name: entry.turns for entry in ENTRIES}
    models["answer"] = (Turn(answer=Answer(text=_MARKDOWN), faults=Faults(pace_s=0.03)),)
    models["long"] = (
        Turn(answer=Answer(words=20_000), faults=Faults(pace_s=0.02, chunks_per_write=20)),
    )
    return Scenario(models=models)
