"""Going through the rows of a table in the order of their keys, a chunk at a time, whatever the types of the keys.

Keys are read as the journal has them, never as the driver would read them: a single one that it can't read would hide
all others. Where a chunk ends is kept as the database writes it, so that it finds the place again.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from afterwork.store.journal.change import key_as_bytes, text_in
from afterwork.store.journal.text_forms import OTHER, TextForm
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.journal.values import key_sql, quoted

PARAMETER = "\0"

FIRST_OF_EXTENSIONS = 16384
"""The least number of a type that does not come with PostgreSQL. All of its own that a key can have are ordered."""

_WITHOUT_ORDER = text(
    "SELECT oid::bigint FROM pg_type WHERE oid::bigint = ANY(:numbers) AND typtype = 'b' AND typcategory <> 'A' AND NOT"
    " EXISTS (SELECT FROM pg_operator WHERE oprname = '>' AND oprleft = pg_type.oid AND oprright = pg_type.oid)"
)

Place = str
"""The last row of a chunk."""


@dataclass(frozen=True)
class KeyWalk:
    """The way through one table."""

    tracked: TrackedTable

    def chunk(self, connection: Connection, after: Place | None, most: int) -> tuple[list[int | str], Place | None]:
        """The keys of the next rows, as the journal has them, and the last of these rows; None if there are no more."""
        on_sqlite = connection.dialect.name == "sqlite"
        rows = _on_sqlite(connection, self, after, most) if on_sqlite else _on_postgresql(connection, self, after, most)
        if not rows:
            return [], None
        return [text_in(row[0]) for row in rows], json.dumps(list(rows[-1][1:]))

    @property
    def columns(self) -> list[str]:
        """The columns of the key, as SQL has them."""
        return [f"walked.{quoted(column.name)}" for column in self.tracked.key]

    @property
    def forms(self) -> list[TextForm]:
        """The forms of these columns."""
        return [self.tracked.forms[column.name] for column in self.tracked.key]

    @property
    def table(self) -> str:
        """The table, as SQL has it."""
        table = self.tracked.table
        return ".".join(quoted(name) for name in (table.schema, table.name) if name)

    def key(self, connection: Connection) -> str:
        """SQL for the key as the journal has it."""
        if self.tracked.has_number_key:
            return self.columns[0]
        return key_sql(self.forms, self.columns, connection.dialect)


def _on_postgresql(connection: Connection, walk: KeyWalk, after: Place | None, most: int) -> Sequence[Sequence[str]]:
    last = [] if after is None else _read(after, len(walk.columns))
    unordered = _unordered(connection, walk)
    ordered = [f'{column}::text COLLATE "C"' if n in unordered else column for n, column in enumerate(walk.columns)]
    columns = ", ".join(ordered)
    selected = ", ".join([walk.key(connection), *(f"{column}::text" for column in walk.columns)])
    # Without types, the parameters are read as the types of the columns.
    beyond = f" WHERE ({columns}) > ({', '.join(PARAMETER for _ in last)})" if last else ""
    statement = f"SELECT {selected} FROM {walk.table} AS walked{beyond} ORDER BY {columns} LIMIT {most}"
    statement = statement.replace("%", "%%").replace(PARAMETER, "%s")
    return connection.exec_driver_sql(statement, tuple(last)).all()


def _unordered(connection: Connection, walk: KeyWalk) -> set[int]:
    """The places in the key of columns whose types have no order that comparisons know: they go by their texts."""
    numbers = {
        n: int(form.name.removeprefix(OTHER)) for n, form in enumerate(walk.forms) if form.name.startswith(OTHER)
    }
    if not any(number >= FIRST_OF_EXTENSIONS for number in numbers.values()):
        return set()
    found = set(connection.execute(_WITHOUT_ORDER, {"numbers": list(numbers.values())}).scalars())
    return {n for n, number in numbers.items() if number in found}


def _on_sqlite(connection: Connection, walk: KeyWalk, after: Place | None, most: int) -> Sequence[Sequence[str]]:
    columns = walk.columns
    last = [] if after is None else _read(after, len(columns))
    # A row without any key is no object.
    conditions = [f"coalesce({', '.join([*columns, 'NULL'])}) IS NOT NULL"]
    if last:
        if last[0] != "NULL":
            conditions.append(f"{columns[0]} >= {last[0]}")
        conditions.append(f"({' OR '.join(_beyond(columns, last))})")
    selected = ", ".join([key_as_bytes(walk.key(connection)), *map(_literal, columns)])
    where, order = " AND ".join(conditions), ", ".join(columns)
    statement = f"SELECT {selected} FROM {walk.table} AS walked WHERE {where} ORDER BY {order} LIMIT {most}"
    return connection.exec_driver_sql(statement).all()


def _literal(column: str) -> str:
    """SQL that writes a value as SQL. Of a text, the bytes: they may be no text. The plus keeps it what it is, whatever
    it is compared with."""
    text = f"'+CAST(x''' || hex({column}) || ''' AS TEXT)'"
    return f"CASE typeof({column}) WHEN 'text' THEN {text} ELSE quote({column}) END"


def _beyond(columns: Sequence[str], last: Sequence[str]) -> Iterator[str]:
    """What is true of rows after the last one: a part of the key is greater, the parts before it are the same. Nulls
    come first."""
    for place, (column, value) in enumerate(zip(columns, last, strict=True)):
        same = [f"{before} IS {known}" for before, known in zip(columns[:place], last[:place], strict=True)]
        greater = f"{column} IS NOT NULL" if value == "NULL" else f"{column} > {value}"
        yield " AND ".join([*same, greater])


def _read(place: Place, parts: int) -> list[str]:
    """A place that was kept. An older Afterwork kept it in another way, which is no place: it begins again."""
    try:
        found = json.loads(place)
    except ValueError:
        return []
    return found if isinstance(found, list) and len(found) == parts else []
