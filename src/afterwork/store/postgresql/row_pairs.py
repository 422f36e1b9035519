"""Pair the rows of an update before and after it.

A trigger on PostgreSQL gets them as two tables. They are paired by their keys, which is fastest, or by their positions,
since both tables are in the same order. Positions serve rows without a key, and keys that are equal to PostgreSQL but
not to a calculation. They also serve tables whose rows a cascade may change again within the same statement: all
versions of a row are in the tables then. Nothing would be lost if the order ever differed: whatever the pairs are,
those that differ include everything that was removed and everything that is new.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from afterwork.store.postgresql.capture_rows import TransitionRows

PLACE = "row_number() OVER () AS place"


@dataclass(frozen=True)
class ByKey:
    """Pairs rows before (o) and after (n) by their keys."""

    rows: TransitionRows

    more = ()
    """The expressions that a row needs beside its columns."""
    is_other = "false"
    """The condition that the two rows of a pair have different keys."""

    @property
    def on(self) -> str:
        """Return the condition that two rows are a pair."""
        columns = (self.rows.columns[self.rows.places[name]] for name in self.rows.key)
        sides = ((column, f"c{self.rows.places[column.name]}") for column in columns)
        return " AND ".join(
            f"{column.compared(f'o.{name}')} = {column.compared(f'n.{name}')}" for column, name in sides
        )

    def is_missing(self, side: str) -> str:
        """Return the condition that a side has no row."""
        return f"{side}.c{self.rows.places[self.rows.key[0]]} IS NULL"


@dataclass(frozen=True)
class ByPlace:
    """Pairs them by their positions."""

    rows: TransitionRows

    more = (PLACE,)
    on = "o.place = n.place"

    def is_missing(self, side: str) -> str:
        return f"{side}.place IS NULL"

    @property
    def is_other(self) -> str:
        return any_of(differing(self.rows, self.rows.key)) if self.rows.key else "true"


Pairing = ByKey | ByPlace


def pairing_of(rows: TransitionRows, *, has_cascades: bool) -> Pairing:
    """Return the fastest pairing that reports all changes of these rows."""
    is_exact = all(rows.columns[rows.places[name]].is_exact for name in rows.key)
    return ByKey(rows) if rows.key and is_exact and not has_cascades else ByPlace(rows)


def differing(rows: TransitionRows, names: Iterable[str]) -> list[str]:
    """Return, for each of these columns, the condition that it differs within a pair."""
    return [rows.columns[place].differs(f"o.c{place}", f"n.c{place}") for place in map(rows.places.__getitem__, names)]


def any_of(conditions: Iterable[str]) -> str:
    return f"({' OR '.join(conditions) or 'false'})"
