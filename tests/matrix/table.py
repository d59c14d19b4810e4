"""The table: every case there is for a dialect."""

from __future__ import annotations

from collections.abc import Iterator

from tests.matrix.catalog_cases import catalog_cases
from tests.matrix.connection_cases import (
    address_cases,
    break_cases,
    life_cases,
    pause_cases,
    rejection_cases,
)
from tests.matrix.content_cases import (
    answer_cases,
    error_cases,
    spelling_cases,
    spoiled_cases,
)
from tests.matrix.dialects import Dialect
from tests.matrix.truths import Case


def cases(dialect: Dialect) -> Iterator[Case]:
    """Yield every case, with the truth about it in this dialect."""
    yield from catalog_cases(dialect)
    yield from rejection_cases(dialect)
    if dialect.is_sampled:
        return
    yield from break_cases(dialect)
    yield from life_cases(dialect)
    yield from pause_cases(dialect)
    yield from spelling_cases(dialect)
    yield from spoiled_cases(dialect)
    yield from error_cases(dialect)
    yield from address_cases(dialect)
    yield from answer_cases(dialect)
