"""The text of the triggers on SQLite.

SQLite fires no trigger for a row that REPLACE removes (unless `recursive_triggers` is on). So triggers that fire before
a row is written note the rows with which it would collide, in `afterwork_replaced`, and those that fire after it
journal which of them are gone. The form of the entries is in `store/journal/change.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Dialect, Table

from afterwork.store.journal.capture import CapturedTable
from afterwork.store.journal.text_forms import Forms
from afterwork.store.journal.tracked_table import EVERY_COLUMN, LAST_BIT, is_number
from afterwork.store.journal.values import key_sql, quoted, value_sql
from afterwork.store.sqlite.capture_marks import trigger_name
from afterwork.store.sqlite.touch_text import TouchStatements
from afterwork.store.sqlite.unique_keys import UniqueKey, any_of, joined_by

NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
INTO = "INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new)"

MAX_ARGUMENTS = 100
"""The maximum number of arguments of a call. SQLite takes 127 by default."""

UNTYPED = {"blob", "collated"}
"""The forms of columns that distinguish 1 and 1.0. Others store them as the same value."""

EVENTS: Mapping[str, str] = {
    "inserting": "BEFORE INSERT",
    "insert": "AFTER INSERT",
    "updating": "BEFORE UPDATE",
    "update": "AFTER UPDATE",
    "move": "AFTER UPDATE",
    "delete": "AFTER DELETE",
}
MORE_EVENTS: Mapping[str, str] = {**EVENTS, "replace": "AFTER UPDATE"}
"""With the one that only tables have in which an update may replace another row than by the key."""


@dataclass(frozen=True)
class TriggerSource:
    """The triggers of one table. `columns` are captured, `there` are all its columns; `unique` has its unique keys.
    `row_name` is the name of the rowid, None if rows have none."""

    dialect: Dialect
    captured: CapturedTable
    table: Table
    columns: Sequence[str]
    all_columns: Sequence[str]
    unique: Sequence[UniqueKey]
    row_name: str | None

    def triggers(self) -> dict[str, str]:
        """Return the statements that create the triggers, by name.

        A trigger never fires within itself. So a column that a trigger writes, within the capture of another one, has a
        trigger of its own.
        """
        triggers = {trigger_name(self.captured.id, event): self._trigger(event) for event in EVENTS}
        if self._unique_beside_key:
            triggers[trigger_name(self.captured.id, "replace")] = self._trigger("replace")
        if apart := self._touches.at_commit:
            others = [name for name in self.all_columns if name not in apart]
            for event, columns in [("update", others), *((f"update_{n}", [name]) for n, name in enumerate(apart))]:
                name = trigger_name(self.captured.id, event)
                triggers[name] = self._trigger("update", name, f" OF {', '.join(map(quoted, columns))}")
        return triggers

    def _trigger(self, event: str, name: str = "", of: str = "") -> str:
        """Return the statement that creates the trigger for an event."""
        condition, needed = {
            "inserting": self._inserting,
            "insert": self._insert,
            "updating": self._updating,
            "update": self._update,
            "replace": self._replace,
            "move": self._move,
            "delete": self._delete,
        }[event]()
        when = f" WHEN {condition}" if condition else ""
        statements = needed or ["SELECT 1"]
        body = "".join(f"\n    {statement};" for statement in statements)
        return (
            f"CREATE TRIGGER {name or trigger_name(self.captured.id, event)} {MORE_EVENTS[event]}{of} ON {self._table}"
            f" FOR EACH ROW{when} BEGIN{body}\nEND"
        )

    def _inserting(self) -> tuple[str, list[str]]:
        collides = f"FROM {self._table} AS t WHERE {self._collides}"
        return f"EXISTS (SELECT 1 {collides})", [self._forget, *self._note(collides)]

    def _insert(self) -> tuple[str, list[str]]:
        is_new = f"r.{self._row} IS {self._identity('NEW')}"
        written = self._write("I", EVERY_COLUMN, None, "NEW")
        return "", [*self._replaced(is_new), *written, *self._touches.of_row("NEW")]

    def _updating(self) -> tuple[str, list[str]]:
        changed = self._differ(self._in_unique)
        other = f"{self._identity('t')} IS NOT {self._identity('OLD')}"
        collides = f"FROM {self._table} AS t WHERE ({self._collides}) AND {other}"
        statements = [self._forget, *self._note(collides)]
        return f"({changed}) AND EXISTS (SELECT 1 {collides})", statements

    def _update(self) -> tuple[str, list[str]]:
        if not self._key:
            return "0", []
        columns = self.columns if self.captured.is_journaled else self._touches.counting
        written = self._write("U", self._changed(), "OLD", "NEW", f" WHERE {self._changed()} <> 0")
        statements = [*written, *self._touches.of_update(self._key)]
        return f"({self._differ(columns)}) AND NOT ({self._differ(self._key)})", statements

    def _replace(self) -> tuple[str, list[str]]:
        """Return the trigger for a row that keeps its key, and may have replaced another one."""
        changed = self._differ(self._unique_beside_key)
        return f"({changed}) AND NOT ({self._differ(self._key)})", self._replaced(self._is_moved)

    def _move(self) -> tuple[str, list[str]]:
        """Return the trigger for a changed key, or for a table without one, whose rows can't be identified."""
        return self._differ(self._key or self.columns), [
            *self._leaving,
            *self._replaced(self._is_moved),
            *self._write("D", EVERY_COLUMN, "OLD", None),
            *self._write("I", EVERY_COLUMN, None, "NEW"),
            *self._touches.of_row("OLD"),
            *self._touches.of_row("NEW"),
        ]

    def _delete(self) -> tuple[str, list[str]]:
        return "", [*self._leaving, *self._write("D", EVERY_COLUMN, "OLD", None), *self._touches.of_row("OLD")]

    @property
    def _touches(self) -> TouchStatements:
        return TouchStatements(self.captured.routes, self._differ)

    def _note(self, source: str) -> list[str]:
        """Note rows that may go: those of a source that calls them t."""
        number, key = self._keys("t")
        place = f"{self.captured.id}, {f't.{self.row_name}' if self.row_name else 'NULL'}, {number}, {key}"
        note = (
            f"INSERT INTO afterwork_replaced (table_id, row, key, key_text, old)"
            f" SELECT {place}, {self._image('t')} {source}"
        )
        return [*([note] if self.captured.is_journaled else []), *self._touches.of_replaced(place, source)]

    def _replaced(self, is_new: str) -> list[str]:
        """Journal which of the conflicting rows are gone."""
        if not self.unique:
            return []
        gone = f"NOT EXISTS (SELECT 1 FROM {self._table} AS t WHERE {self._identity('t')} IS r.{self._row})"
        where = f"r.table_id = {self.captured.id} AND ({is_new} OR {gone})"
        write = (
            f"{INTO} SELECT {NOW}, {self.captured.id}, 'D', r.key, r.key_text, {EVERY_COLUMN}, r.old, NULL"
            f" FROM afterwork_replaced AS r WHERE {where} AND r.route IS NULL"
        )
        return [*([write] if self.captured.is_journaled else []), *self._touches.of_gone(where), self._forget]

    @property
    def _forget(self) -> str:
        return f"DELETE FROM afterwork_replaced WHERE table_id = {self.captured.id}"

    @property
    def _leaving(self) -> list[str]:
        """Forget a deleted row that was noted for an INSERT that did nothing, so that it is journaled once."""
        return [f"{self._forget} AND {self._row} IS {self._identity('OLD')}"] if self.unique else []

    @property
    def _is_moved(self) -> str:
        new, old = self._identity("NEW"), self._identity("OLD")
        return f"(r.{self._row} IS {new} AND {new} IS NOT {old})"

    @cached_property
    def _collides(self) -> str:
        """Return the condition that a row t collides with the new one."""
        return any_of([unique.collides(self.all_columns) for unique in self.unique])

    @cached_property
    def _in_unique(self) -> list[str]:
        """Return the columns by which rows may conflict: all of them, if more than columns matters."""
        names = [part.column for unique in self.unique for part in unique.parts]
        if any(unique.condition for unique in self.unique) or None in names:
            return list(self.all_columns)
        return [name for name in names if name is not None]

    @property
    def _unique_beside_key(self) -> list[str]:
        """Return the columns by which rows may conflict that keep their keys; [] if rows have none."""
        return [name for name in self._in_unique if name not in self._key] if self._key else []

    @property
    def _row(self) -> str:
        """Return the column of `afterwork_replaced` that identifies rows."""
        return "row" if self.row_name else "key" if self._keys("t")[1] == "NULL" else "key_text"

    def _identity(self, prefix: str) -> str:
        if self.row_name:
            return f"{prefix}.{self.row_name}"
        number, key = self._keys(prefix)
        return number if key == "NULL" else key

    def _write(self, kind: str, columns: int | str, old: str | None, new: str | None, where: str = "") -> list[str]:
        """Return the statement that journals a change; none if nobody needs it."""
        if not self.captured.is_journaled:
            return []
        number, key = self._keys(new or old or "")
        before, after = (self._image(side) if side else "NULL" for side in (old, new))
        values = f"{NOW}, {self.captured.id}, '{kind}', {number}, {key}, {columns}, {before}, {after}"
        return [f"{INTO} SELECT {values}{where}"]

    @cached_property
    def _table(self) -> str:
        return quoted(self.table.name)

    @cached_property
    def _key(self) -> list[str]:
        key = [column.name for column in self.table.primary_key.columns]
        return key if set(key) <= set(self.columns) else []

    def _keys(self, prefix: str) -> tuple[str, str]:
        """Return SQL for the key as a number and as a text, one of which is null."""
        references = [f"{prefix}.{quoted(name)}" for name in self._key]
        if not references:
            return "NULL", "NULL"
        forms = [self._forms[name] for name in self._key]
        if is_number(forms):
            return references[0], "NULL"
        return "NULL", key_sql(forms, references, self.dialect)

    @property
    def _forms(self) -> Forms:
        return self.captured.forms or {}

    def _image(self, prefix: str) -> str:
        here = {name for name in self.columns if self._forms[name].is_exact}
        elements = (
            value_sql(self._forms[name], f"{prefix}.{quoted(name)}") if name in here else "NULL"
            for name in self.captured.valued
        )
        return _array(list(elements))

    def _differ(self, names: Iterable[str]) -> str:
        return any_of([self._differs(name) for name in dict.fromkeys(names)])

    def _changed(self) -> str:
        columns: dict[int, list[str]] = {}
        for name in self.columns:
            if name not in self._key:
                columns.setdefault(1 << min(self.captured.columns.index(name), LAST_BIT), []).append(name)
        terms = [f"CASE WHEN {self._differ(names)} THEN {bit} ELSE 0 END" for bit, names in columns.items()]
        return f"({' | '.join(terms) or '0'})"

    def _differs(self, name: str) -> str:
        """Return the condition that a calculation could tell a column's values apart."""
        old, new = f"OLD.{quoted(name)}", f"NEW.{quoted(name)}"
        # Different letters are a change, whatever the column's collation.
        differs = f"{old} IS NOT {new} COLLATE BINARY"
        form = self._forms.get(name)
        if form is not None and form.name in UNTYPED:
            # SQL can't query the sign of a zero.
            is_zero = f"typeof({new}) = 'real' AND {new} = 0"
            return f"({differs} OR typeof({old}) IS NOT typeof({new}) OR {is_zero})"
        return differs


def _array(values: list[str]) -> str:
    """Return the texts of an image as SQL literals, separated by commas. In a session with an untrusted schema,
    triggers can't use SQLite's JSON functions, which also don't take bytes."""
    if not values:
        return "''"
    pieces = (values[start : start + MAX_ARGUMENTS] for start in range(0, len(values), MAX_ARGUMENTS))
    return joined_by(
        " || ',' || ", [f"printf('{','.join(['%Q'] * len(piece))}', {', '.join(piece)})" for piece in pieces]
    )
