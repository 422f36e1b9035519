"""The watched tables, and the numbers that the journal has for them and their columns."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Column, Table
from sqlalchemy.types import Integer

LAST_BIT = 62
"""Columns beyond it share it: a set of columns is a whole number of 63 bits."""

PART = "\x1f"
"""Between the parts of a key with several columns."""

NULL = "\x00"
"""A part that is null."""

EVERY_COLUMN = (1 << (LAST_BIT + 1)) - 1


def joined(parts: Iterable[str | None]) -> str:
    """The key for the values of several columns, as the journal has them."""
    return PART.join(NULL if part is None else part for part in parts)


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a watched table, which need not be in the model. `columns` are in the order of their bits,
    `valued` are those whose values the journal keeps, in the order in which it keeps them. Both only ever grow: a
    column that is gone keeps its place."""

    columns: tuple[str, ...]
    valued: tuple[str, ...]

    @cached_property
    def _bits(self) -> Mapping[str, int]:
        return {name: 1 << min(place, LAST_BIT) for place, name in enumerate(self.columns)}

    def mask(self, names: Iterable[str]) -> int:
        """The set of columns with these names. A column that is left out of capture is in no set."""
        found = 0
        for name in names:
            found |= self._bits.get(name, 0)
        return found

    def names(self, mask: int) -> Iterator[str]:
        """The names of the columns in a set."""
        return (name for name, bit in self._bits.items() if bit & mask)


@dataclass(frozen=True, eq=False)
class Watch(Columns):
    """A watched table of the model."""

    id: int
    table: Table

    def __init__(self, id: int, table: Table, columns: tuple[str, ...], valued: tuple[str, ...]) -> None:
        super().__init__(columns, valued)
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "table", table)

    @cached_property
    def key(self) -> tuple[Column[object], ...]:
        """The columns of the primary key. Empty for a table without one: its rows can't be told apart."""
        return tuple(self.table.primary_key.columns)

    @property
    def has_number_key(self) -> bool:
        """Whether the key is one whole number, which the journal keeps as such."""
        return len(self.key) == 1 and isinstance(self.key[0].type, Integer)


class Watches:
    """All watched tables of a database."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        self.by_id: Mapping[int, Watch] = {watch.id: watch for watch in watches}
        self._by_table = {watch.table: watch for watch in self.by_id.values()}

    def __iter__(self) -> Iterator[Watch]:
        return iter(self.by_id.values())

    def of(self, table: object) -> Watch | None:
        """The watch of a table, None if it is not watched."""
        return self._by_table.get(table) if isinstance(table, Table) else None
