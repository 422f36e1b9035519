"""Walk through a SQLite table, whose keys can be null, or of another type than their column."""

from collections.abc import Iterator, Sequence

from afterwork.store.journal.change import key_as_bytes
from afterwork.store.journal.key_walk import KeyWalk


class SQLiteKeyWalk(KeyWalk):
    """A walk through the rows of a SQLite table."""

    def rows(self, last: Sequence[str], limit: int) -> Sequence[Sequence[str]]:
        columns = self.columns
        # A row without any key is no object.
        conditions = [f"coalesce({', '.join([*columns, 'NULL'])}) IS NOT NULL"]
        if last:
            if last[0] != "NULL":
                conditions.append(f"{columns[0]} >= {last[0]}")
            conditions.append(f"({' OR '.join(_beyond(columns, last))})")
        selected = ", ".join([key_as_bytes(self.key), *map(_literal, columns)])
        where, order = " AND ".join(conditions), ", ".join(columns)
        statement = f"SELECT {selected} FROM {self.table} AS walked WHERE {where} ORDER BY {order} LIMIT {limit}"
        return self.connection.exec_driver_sql(statement).all()


def _literal(column: str) -> str:
    """Return SQL that writes a value as a literal; a text as bytes, since it may be invalid. The plus preserves its
    type, whatever it is compared with."""
    text = f"'+CAST(x''' || hex({column}) || ''' AS TEXT)'"
    return f"CASE typeof({column}) WHEN 'text' THEN {text} ELSE quote({column}) END"


def _beyond(columns: Sequence[str], last: Sequence[str]) -> Iterator[str]:
    """Yield the conditions for rows after the last one: a greater part of the key after equal ones. Nulls come
    first."""
    for place, (column, value) in enumerate(zip(columns, last, strict=True)):
        same = [f"{before} IS {known}" for before, known in zip(columns[:place], last[:place], strict=True)]
        greater = f"{column} IS NOT NULL" if value == "NULL" else f"{column} > {value}"
        yield " AND ".join([*same, greater])
