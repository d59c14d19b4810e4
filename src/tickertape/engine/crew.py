"""A few tasks that share a list of jobs, so that thousands don't stall the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

AT_ONCE: Final = 8
"""Jobs that are being done at the same time."""

_T = TypeVar("_T")


async def for_each(items: Sequence[_T], do: Callable[[_T], Awaitable[None]]) -> None:
    """Await `do` for each item, a few at once. `do` handles its own errors."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)
            # A log in memory never makes anybody wait.
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as crew:
        for _ in range(min(AT_ONCE, len(items))):
            crew.create_task(work())
