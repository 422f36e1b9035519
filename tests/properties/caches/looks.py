"""Rows, the questions that are asked about them, and which changes of rows change an answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = Any
Values = Mapping[str, Any]
State = dict[str, dict[Key, dict[str, Any]]]
"""By table and primary key, the columns of each row."""

Cache = tuple[str, Key]
"""A cache of an object: `("Item.worth", 1)`."""


@dataclass(frozen=True)
class Change:
    """One row, before and after one statement; None where it was not there. With `emptied`, a table was truncated."""

    table: str
    key: Key
    before: Values | None
    after: Values | None
    emptied: bool = False


@dataclass(frozen=True)
class Cell:
    """What is in a column of a row; with no column, whether there is such a row."""

    table: str
    key: Key
    column: str | None

    def is_touched(self, change: Change) -> bool:
        if (change.table, change.key) != (self.table, self.key):
            return False
        if change.before is None or change.after is None:
            return True
        return self.column is not None and change.before[self.column] != change.after[self.column]


@dataclass(frozen=True)
class Rows:
    """Which rows have certain values, and what each of them has in `columns`."""

    table: str
    equal: tuple[tuple[str, Any], ...]
    columns: tuple[str, ...] = ()

    def is_touched(self, change: Change) -> bool:
        return change.table == self.table and self._answer(change.before) != self._answer(change.after)

    def _answer(self, row: Values | None) -> tuple[Any, ...] | None:
        if row is None or any(row[name] != value for name, value in self.equal):
            return None
        return tuple(row[name] for name in self.columns)


Question = Cell | Rows


@dataclass
class Look:
    """Rows, and what is asked about them. `until` is the first hour at which the answer to `passed` is another one."""

    state: State
    hour: float
    answers: dict[Question, Any] = field(default_factory=dict)
    until: int | None = None

    @property
    def asked(self) -> set[Question]:
        return set(self.answers)

    def cell(self, table: str, key: Key, column: str) -> Any:
        found = self.answers[Cell(table, key, column)] = self.state[table][key][column]
        return found

    def is_there(self, table: str, key: Key) -> bool:
        found = key in self.state[table]
        self.answers[Cell(table, key, None)] = found
        return found

    def keys(self, table: str, columns: tuple[str, ...] = (), **equal: Any) -> list[Key]:
        rows = self.state[table]
        found = sorted(key for key, row in rows.items() if all(row[name] == value for name, value in equal.items()))
        self.answers[Rows(table, tuple(equal.items()), columns)] = [
            (key, *(rows[key][column] for column in columns)) for key in found
        ]
        return found

    def passed(self, hour: int) -> bool:
        if hour <= self.hour:
            return True
        self.until = hour if self.until is None else min(hour, self.until)
        return False
