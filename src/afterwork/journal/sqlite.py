"""Capture on SQLite: row triggers.

SQLite fires no trigger for a row that REPLACE puts out of the way (unless `recursive_triggers` is on). So triggers that
fire before a row is written note the rows with which it would collide, in `afterwork_replaced`, and those that fire
after it write down which of them are gone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Table, text

from afterwork.journal.capture import Capture, Plan, Watched
from afterwork.journal.columns import forms_on_sqlite
from afterwork.journal.continuity import Shown
from afterwork.journal.forms import Forms
from afterwork.journal.sqlite_marks import MOVED, settle, shown, trigger_name
from afterwork.journal.values import key_sql, quoted, value_sql
from afterwork.journal.watch import EVERY_COLUMN, LAST_BIT, is_number

NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
INTO = "INSERT INTO afterwork_journal (moment, watch, kind, key, key_text, columns, old, new)"
ROW_NAMES = ("rowid", "_rowid_", "oid")

_COLUMNS = text("SELECT name, pk FROM pragma_table_xinfo(:table) WHERE hidden <> 1 ORDER BY cid")
_HAS_ROWS_NUMBERED = text("SELECT NOT wr FROM pragma_table_list(:table) WHERE schema = 'main' AND type = 'table'")
_UNIQUE = text(
    "SELECT l.name AS index_name, x.name, x.coll FROM pragma_index_list(:table) AS l, pragma_index_xinfo(l.name) AS x"
    ' WHERE l."unique" AND x.key ORDER BY l.seq, x.seqno'
)
_TRIGGERS = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE :pattern ESCAPE '!'")


class SQLiteCapture(Capture):
    """Capture in a SQLite file."""

    def prepare(self) -> Iterator[str]:
        yield from ()

    def columns(self, table: Table) -> Sequence[str] | None:
        if table.schema not in {None, "main"}:
            return None  # a trigger can't write into another file
        name = {"table": table.name}
        if self.connection.execute(_HAS_ROWS_NUMBERED, name).scalar() is None:
            return None
        return [row.name for row in self.connection.execute(_COLUMNS, name)]

    def forms(self, table: Table) -> Mapping[str, str]:
        return forms_on_sqlite(self.connection, table)

    def definition(self, watched: Watched, table: Table, columns: Sequence[str]) -> str:
        return "\n".join(self._triggers(watched, table, columns).values())

    def written(self, watched: Watched, table: Table) -> str:
        there = self._there(watched)
        names = [_name(watched, event) for event in EVENTS]
        return "\n".join(there[name] for name in names) if there.keys() >= set(names) else ""

    def shown(self) -> Mapping[int, Shown]:
        return shown(self.connection, list(EVENTS))

    def has_moved(self) -> bool:
        return self.connection.execute(MOVED).first() is not None

    def was_continuous(self, watched: Watched) -> bool:
        there = self._there(watched)
        definition = "\n".join(there.get(_name(watched, event), "") for event in EVENTS)
        return watched.made is not None and watched.made.definition == definition

    def lock(self, watched: Watched, table: Table) -> None:
        """Nothing: there is one writer."""

    def make(self, plan: Plan) -> None:
        self.drop(plan.watched)
        for statement in self._triggers(plan.watched, plan.table, plan.columns).values():
            self.connection.exec_driver_sql(statement)

    def drop(self, watched: Watched) -> None:
        for name in self._there(watched):
            self.connection.exec_driver_sql(f"DROP TRIGGER {name}")

    def settle(self, shown: Mapping[int, Shown]) -> Mapping[int, Shown]:
        settle(self.connection)
        return self.shown()

    def _there(self, watched: Watched) -> dict[str, str]:
        pattern = f"{_name(watched, '')}%".replace("_", "!_")
        return {row.name: row.sql for row in self.connection.execute(_TRIGGERS, {"pattern": pattern})}

    def _triggers(self, watched: Watched, table: Table, columns: Sequence[str]) -> dict[str, str]:
        name = {"table": table.name}
        own_key = [(row.name, "BINARY") for row in self.connection.execute(_COLUMNS, name) if row.pk]
        unique: dict[str, list[tuple[str, str]]] = {"": own_key} if own_key else {}
        for row in self.connection.execute(_UNIQUE, name):
            unique.setdefault(row.index_name, []).append((row.name, row.coll))
        # An expression in an index has no name.
        plain = [parts for parts in unique.values() if all(part is not None for part, _ in parts)]
        numbered = bool(self.connection.execute(_HAS_ROWS_NUMBERED, name).scalar())
        taken = {column.lower() for column in self.columns(table) or ()}
        row_name = next((name for name in ROW_NAMES if name not in taken), None) if numbered else None
        source = _Source(self, watched, table, columns, plain, row_name)
        return {event: source.trigger(event) for event in EVENTS}


def _name(watched: Watched, event: str) -> str:
    return trigger_name(watched.id, event)


EVENTS: Mapping[str, str] = {
    "inserting": "BEFORE INSERT",
    "insert": "AFTER INSERT",
    "updating": "BEFORE UPDATE",
    "update": "AFTER UPDATE",
    "move": "AFTER UPDATE",
    "delete": "AFTER DELETE",
}


@dataclass(frozen=True)
class _Source:
    """The triggers of one table. `unique` has the sets of columns that no two rows share, each with its collation;
    `row_name` is how the number of a row is called, None if rows have none."""

    capture: SQLiteCapture
    watched: Watched
    table: Table
    columns: Sequence[str]
    unique: list[list[tuple[str, str]]]
    row_name: str | None

    def trigger(self, event: str) -> str:
        """The whole statement that makes the trigger for an event."""
        condition, statements = {
            "inserting": self._inserting,
            "insert": self._insert,
            "updating": self._updating,
            "update": self._update,
            "move": self._move,
            "delete": self._delete,
        }[event]()
        when = f" WHEN {condition}" if condition else ""
        body = "".join(f"\n    {statement};" for statement in statements)
        return (
            f"CREATE TRIGGER {_name(self.watched, event)} {EVENTS[event]} ON {self._table}"
            f" FOR EACH ROW{when} BEGIN{body}\nEND"
        )

    def _inserting(self) -> tuple[str, list[str]]:
        return f"EXISTS (SELECT 1 FROM {self._table} AS t WHERE {self._collides})", [self._forget, self._note()]

    def _insert(self) -> tuple[str, list[str]]:
        is_new = f"r.{self._row} IS {self._identity('NEW')}"
        return "", [*self._replaced(is_new), self._write("I", EVERY_COLUMN, None, "NEW")]

    def _updating(self) -> tuple[str, list[str]]:
        changed = self._differ([name for parts in self.unique for name, _ in parts]) or "0"
        other = f"{self._identity('t')} IS NOT {self._identity('OLD')}"
        exists = f"EXISTS (SELECT 1 FROM {self._table} AS t WHERE ({self._collides}) AND {other})"
        return f"({changed}) AND {exists}", [self._forget, self._note(f" AND {other}")]

    def _update(self) -> tuple[str, list[str]]:
        if not self._key:
            return "0", ["SELECT 1"]
        unique = [name for parts in self.unique for name, _ in parts]
        changed = self._differ(dict.fromkeys([*self.columns, *unique])) or "0"
        write = self._write("U", self._changed(), "OLD", "NEW", f" WHERE {self._changed()} <> 0")
        return f"({changed}) AND NOT ({self._differ(self._key)})", [*self._replaced(self._is_moved), write]

    def _move(self) -> tuple[str, list[str]]:
        """The key has changed; or there is none, and so no way to say that it is the same row."""
        changed = self._differ(self._key or self.columns) or "0"
        return changed, [
            *self._leaving,
            *self._replaced(self._is_moved),
            self._write("D", EVERY_COLUMN, "OLD", None),
            self._write("I", EVERY_COLUMN, None, "NEW"),
        ]

    def _delete(self) -> tuple[str, list[str]]:
        return "", [*self._leaving, self._write("D", EVERY_COLUMN, "OLD", None)]

    def _note(self, more: str = "") -> str:
        number, key = self._keys("t")
        row = f"t.{self.row_name}" if self.row_name else "NULL"
        return (
            "INSERT INTO afterwork_replaced (watch, row, key, key_text, old)"
            f" SELECT {self.watched.id}, {row}, {number}, {key}, {self._image('t')}"
            f" FROM {self._table} AS t WHERE ({self._collides}){more}"
        )

    def _replaced(self, is_new: str) -> list[str]:
        """Write down which of the rows that were in the way are gone."""
        if not self.unique:
            return []
        gone = f"NOT EXISTS (SELECT 1 FROM {self._table} AS t WHERE {self._identity('t')} IS r.{self._row})"
        write = (
            f"{INTO} SELECT {NOW}, {self.watched.id}, 'D', r.key, r.key_text, {EVERY_COLUMN}, r.old, NULL"
            f" FROM afterwork_replaced AS r WHERE r.watch = {self.watched.id} AND ({is_new} OR {gone})"
        )
        return [write, self._forget]

    @property
    def _forget(self) -> str:
        return f"DELETE FROM afterwork_replaced WHERE watch = {self.watched.id}"

    @property
    def _leaving(self) -> list[str]:
        """A row that goes by itself may have been noted for an INSERT that did nothing; it is written down once."""
        return [f"{self._forget} AND {self._row} IS {self._identity('OLD')}"] if self.unique else []

    @property
    def _is_moved(self) -> str:
        new, old = self._identity("NEW"), self._identity("OLD")
        return f"(r.{self._row} IS {new} AND {new} IS NOT {old})"

    @cached_property
    def _collides(self) -> str:
        sets = (
            " AND ".join(
                f"t.{quoted(name)} = NEW.{quoted(name)} COLLATE {quoted(collation)}" for name, collation in parts
            )
            for parts in self.unique
        )
        return " OR ".join(f"({columns})" for columns in sets) or "0"

    @property
    def _row(self) -> str:
        """The column of `afterwork_replaced` that tells rows apart."""
        return "row" if self.row_name else "key" if self._keys("t")[1] == "NULL" else "key_text"

    def _identity(self, prefix: str) -> str:
        if self.row_name:
            return f"{prefix}.{self.row_name}"
        number, key = self._keys(prefix)
        return number if key == "NULL" else key

    def _write(self, kind: str, columns: int | str, old: str | None, new: str | None, where: str = "") -> str:
        number, key = self._keys(new or old or "")
        before, after = (self._image(side) if side else "NULL" for side in (old, new))
        return f"{INTO} SELECT {NOW}, {self.watched.id}, '{kind}', {number}, {key}, {columns}, {before}, {after}{where}"

    @cached_property
    def _table(self) -> str:
        return quoted(self.table.name)

    @cached_property
    def _key(self) -> list[str]:
        key = [column.name for column in self.table.primary_key.columns]
        return key if set(key) <= set(self.columns) else []

    def _keys(self, prefix: str) -> tuple[str, str]:
        """SQL for the key as a number and as a text, one of which is null."""
        references = [f"{prefix}.{quoted(name)}" for name in self._key]
        if not references:
            return "NULL", "NULL"
        forms = [self._forms[name] for name in self._key]
        if is_number(forms):
            return references[0], "NULL"
        return "NULL", key_sql(forms, references, self.capture.dialect)

    @property
    def _forms(self) -> Forms:
        return self.watched.forms or {}

    def _image(self, prefix: str) -> str:
        here = {name for name in self.columns if self._forms[name].is_exact}
        elements = (
            value_sql(self._forms[name], f"{prefix}.{quoted(name)}") if name in here else "NULL"
            for name in self.watched.valued
        )
        return f"json_array({', '.join(elements)})"

    def _differ(self, names: Sequence[str] | Mapping[str, None]) -> str:
        return " OR ".join(_differs(name) for name in names)

    def _changed(self) -> str:
        bits = {name: 1 << min(place, LAST_BIT) for place, name in enumerate(self.watched.columns)}
        terms = [
            f"CASE WHEN {_differs(name)} THEN {bits[name]} ELSE 0 END" for name in self.columns if name not in self._key
        ]
        return f"({' | '.join(terms) or '0'})"


def _differs(name: str) -> str:
    # Whatever the collation of the column, letters that are not the same are a change.
    return f"OLD.{quoted(name)} IS NOT NEW.{quoted(name)} COLLATE BINARY"
