"""Pair an update's rows before and after, which PostgreSQL gives a trigger as two tables, in SQL.

Rows are paired by their keys, which is fastest, or by their positions, since both tables are in the same order.
Positions serve rows without a key, and keys that are equal to PostgreSQL but not to a calculation. They also serve
tables whose rows a cascade may change again within the same statement: all versions of a row are in the tables then.
Nothing would be lost if the order ever differed: whatever the pairs are, those that differ include everything that was
removed and everything that is new.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from afterwork.store.journal.change import ADDED, MOVED
from afterwork.store.postgresql.capture_rows import TransitionRows

PLACE = "row_number() OVER () AS place"


class Pairing(Protocol):
    """A way of pairing rows before (o) and after (n)."""

    @property
    def more(self) -> Sequence[str]:
        """Return the expressions that a row needs beside its columns."""

    @property
    def on(self) -> str:
        """Return the condition that two rows are a pair."""

    def is_missing(self, side: str) -> str:
        """Return the condition that a side has no row."""

    @property
    def is_other(self) -> str:
        """Return the condition that the two rows of a pair have different keys."""


@dataclass(frozen=True)
class ByKey:
    """Pairing of rows that have the same key."""

    rows: TransitionRows

    more = ()
    is_other = "false"

    @property
    def on(self) -> str:
        columns = (self.rows.columns[self.rows.places[name]] for name in self.rows.key)
        sides = ((column, f"c{self.rows.places[column.name]}") for column in columns)
        return " AND ".join(
            f"{column.compared(f'o.{name}')} = {column.compared(f'n.{name}')}" for column, name in sides
        )

    def is_missing(self, side: str) -> str:
        return f"{side}.c{self.rows.places[self.rows.key[0]]} IS NULL"


@dataclass(frozen=True)
class ByPlace:
    """Pairing of rows at the same position."""

    rows: TransitionRows

    more = (PLACE,)
    on = "o.place = n.place"

    def is_missing(self, side: str) -> str:
        return f"{side}.place IS NULL"

    @property
    def is_other(self) -> str:
        return any_of(differing(self.rows, self.rows.key)) if self.rows.key else "true"


def pairing_of(rows: TransitionRows, *, has_cascades: bool) -> Pairing:
    """Return the fastest pairing that reports all changes of these rows."""
    is_exact = all(rows.columns[rows.places[name]].is_exact for name in rows.key)
    return ByKey(rows) if rows.key and is_exact and not has_cascades else ByPlace(rows)


def differing(rows: TransitionRows, names: Iterable[str]) -> list[str]:
    """Return, for each of these columns, the condition that it differs within a pair."""
    return [rows.columns[place].differs(f"o.c{place}", f"n.c{place}") for place in map(rows.places.__getitem__, names)]


def any_of(conditions: Iterable[str]) -> str:
    """Return the condition that one of these is true."""
    return f"({' OR '.join(conditions) or 'false'})"


@dataclass(frozen=True)
class Pairs:
    """The pairs that differ. In a pair, the old image has only what differs, or all of a removed row."""

    rows: TransitionRows
    pairing: Pairing

    def images(self) -> str:
        """Return a query for the images before and after."""
        old, new = (self.rows.of(f"afterwork_{side}", *self.pairing.more) for side in ("old", "new"))
        # With OFFSET, the images are made here. An aggregate would keep both sides of a row, which may be too wide.
        return (
            f"SELECT ARRAY[{', '.join(self._before())}] AS before, ARRAY[{self.rows.image('n')}] AS after"
            f" FROM {old} AS o FULL JOIN {new} AS n ON {self.pairing.on} WHERE {self._differ} OFFSET 0"
        )

    def _before(self) -> Iterable[str]:
        for name, value in zip(self.rows.captured.valued, self.rows.values("o"), strict=True):
            differs = [self.pairing.is_other, *differing(self.rows, {name} & set(self.rows.places))]
            yield f"CASE WHEN {any_of(differs)} THEN {value} END"
        if self.rows.key_place < 0:
            is_gone = any_of([self.pairing.is_missing("n"), self.pairing.is_other])
            yield f"CASE WHEN {is_gone} THEN {self.rows.key_text('o')} END"
        yield self._changed

    @property
    def _differ(self) -> str:
        # Nothing else may be known of a row without a key.
        alone = [] if self.rows.key else [self.pairing.is_missing("o"), self.pairing.is_missing("n")]
        return any_of([*alone, *differing(self.rows, self.rows.places)])

    @property
    def _changed(self) -> str:
        """Return the set of columns that differ, as a text, or the marker in its place."""
        return (
            f"CASE WHEN {self.pairing.is_missing('o')} THEN '{ADDED}' WHEN {self.pairing.is_missing('n')} THEN NULL"
            f" WHEN {self.pairing.is_other} THEN '{MOVED}' ELSE ({' | '.join(self._bits) or '0'})::text END"
        )

    @cached_property
    def _bits(self) -> list[str]:
        columns: dict[int, list[str]] = {}
        for name in self.rows.places:
            if name not in self.rows.key:  # a row with another key is another row
                columns.setdefault(self.rows.bit(name), []).append(name)
        return [
            f"CASE WHEN {any_of(differing(self.rows, names))} THEN {bit}::bigint ELSE 0 END"
            for bit, names in columns.items()
        ]
