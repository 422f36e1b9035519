"""Counting no further than matters: what is shown must not take longer the more there is of it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

BOUND = 10_000
"""So many are counted; where there are more, that is said."""


@dataclass(frozen=True)
class Count:
    """How many there are; with `or_more`, that many at least."""

    number: int
    or_more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.or_more else ''}"

    def __add__(self, other: "Count") -> "Count":
        return Count(self.number + other.number, self.or_more or other.or_more)

    @classmethod
    def up_to(cls, found: int) -> "Count":
        """What was found where no more than `BOUND`, and one, were looked for."""
        return cls(min(found, BOUND), found > BOUND)

    def less(self, other: "Count") -> "Count":
        """How many are left without others, as far as that can be said."""
        return Count(max(0, self.number - other.number), self.or_more)


NONE = Count(0)


def counted(connection: Connection, rows: Select[Any]) -> Count:
    """How many rows a statement has. It should find them by an index: none are looked at beyond `BOUND`."""
    some = rows.limit(BOUND + 1).subquery()
    found = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return Count.up_to(found)
