"""An update gives a trigger on PostgreSQL two tables, of its rows before and after. Here they are paired, as SQL.

Rows are paired by their keys, which is quickest, or by their places, since both tables are in the same order. Places
serve rows without a key, and keys that are equal to PostgreSQL and not to a calculation. They also serve tables whose
rows a cascade may change once more within the same statement: all versions of a row are in the tables then.
Nothing is lost if the order should be another one some day: whatever the pairs are, those that differ have between them
all that is no more and all that is new.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from afterwork.store.journal.change import ADDED, MOVED
from afterwork.store.postgresql.capture_rows import TransitionRows

PLACE = "row_number() OVER () AS place"


class Pairing(Protocol):
    """How rows before (o) and after (n) are paired."""

    @property
    def more(self) -> Sequence[str]:
        """What has to be known of a row beside its columns."""

    @property
    def on(self) -> str:
        """The condition that two rows are a pair."""

    def is_missing(self, side: str) -> str:
        """The condition that there is no row on a side."""

    @property
    def is_other(self) -> str:
        """The condition that two rows of a pair have not the same key."""


@dataclass(frozen=True)
class ByKey:
    """Rows that have the same key."""

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
    """Rows that are at the same place."""

    rows: TransitionRows

    more = (PLACE,)
    on = "o.place = n.place"

    def is_missing(self, side: str) -> str:
        return f"{side}.place IS NULL"

    @property
    def is_other(self) -> str:
        return any_of(differing(self.rows, self.rows.key)) if self.rows.key else "true"


def pairing_of(rows: TransitionRows, *, has_cascades: bool) -> Pairing:
    """The quickest way to pair rows that tells all changes of them."""
    is_exact = all(rows.columns[rows.places[name]].is_exact for name in rows.key)
    return ByKey(rows) if rows.key and is_exact and not has_cascades else ByPlace(rows)


def differing(rows: TransitionRows, names: Iterable[str]) -> list[str]:
    """For each of these columns the condition that a pair has two values of it."""
    return [rows.columns[place].differs(f"o.c{place}", f"n.c{place}") for place in map(rows.places.__getitem__, names)]


def any_of(conditions: Iterable[str]) -> str:
    """The condition that one of these is true."""
    return f"({' OR '.join(conditions) or 'false'})"


@dataclass(frozen=True)
class Pairs:
    """The pairs that differ. In a pair, the old image has only what differs, or all of a row that is no more."""

    rows: TransitionRows
    pairing: Pairing

    def images(self) -> str:
        """A query for the images before and after."""
        old, new = (self.rows.of(f"afterwork_{side}", *self.pairing.more) for side in ("old", "new"))
        # With its OFFSET, the images are made here. An aggregate would keep a row of both sides, which may be too wide.
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
        # Of a row without a key it may be that nothing else is known.
        alone = [] if self.rows.key else [self.pairing.is_missing("o"), self.pairing.is_missing("n")]
        return any_of([*alone, *differing(self.rows, self.rows.places)])

    @property
    def _changed(self) -> str:
        """The set of columns that differ, as a text, or what stands in its place."""
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
