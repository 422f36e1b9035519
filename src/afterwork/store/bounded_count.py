"""Bounded counts, so that a display doesn't take longer the more rows it counts."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

BOUND = 10_000
"""The maximum count; a larger one is shown with a plus sign."""


@dataclass(frozen=True)
class Count:
    """A number of rows; with `or_more`, a lower bound."""

    number: int
    or_more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.or_more else ''}"

    def __add__(self, other: "Count") -> "Count":
        return Count(self.number + other.number, self.or_more or other.or_more)

    @classmethod
    def up_to(cls, number: int) -> "Count":
        """Return the count for a search that was limited to `BOUND` + 1 rows."""
        return cls(min(number, BOUND), number > BOUND)

    def less(self, other: "Count") -> "Count":
        """Return the difference to another count, as precisely as bounds allow."""
        return Count(max(0, self.number - other.number), self.or_more)


NONE = Count(0)


def counted(connection: Connection, rows: Select[Any]) -> Count:
    """Count the rows of a statement, looking at no more than `BOUND` + 1. An index should find them."""
    limited_rows = rows.limit(BOUND + 1).subquery()
    count = connection.execute(select(func.count()).select_from(limited_rows)).scalar_one()
    return Count.up_to(count)
