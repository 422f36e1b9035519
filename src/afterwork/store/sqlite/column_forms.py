"""The text forms of columns on SQLite, by their affinities and collations."""

import re

from sqlalchemy import Connection, Table, text

_COLUMNS = text("SELECT name, type FROM pragma_table_xinfo(:table) WHERE hidden <> 1 ORDER BY cid")
_SOURCE = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table COLLATE NOCASE")
_COLLATION = re.compile(r"\bCOLLATE\s+[\"'`\[]?(?!BINARY\b|NOCASE\b|RTRIM\b)\w", re.IGNORECASE)

_AFFINITIES: tuple[tuple[str, str], ...] = (
    ("INT", "integer"),
    ("CHAR", "text"),
    ("CLOB", "text"),
    ("TEXT", "text"),
    ("BLOB", "blob"),
    ("REAL", "real"),
    ("FLOA", "real"),
    ("DOUB", "real"),
    ("BOOL", "boolean"),
)


def column_forms(connection: Connection, table: Table) -> dict[str, str]:
    """Return the names of the forms of the columns of a table."""
    affinities = {row.name: affinity(row.type) for row in connection.execute(_COLUMNS, {"table": table.name})}
    with_texts = [name for name, known in affinities.items() if known not in {"integer", "real"}]
    return affinities | dict.fromkeys(_collated(connection, table, with_texts), "collated")


def affinity(declared: str) -> str:
    """Return the affinity of a column with a declared type."""
    words = declared.upper()
    return next((name for word, name in _AFFINITIES if word in words), "numeric" if words else "blob")


def _collated(connection: Connection, table: Table, names: list[str]) -> list[str]:
    """Return the columns in which different texts can be equal. SQLite offers no better way to find out than to
    compare: the columns of a union take after those of its first part."""
    source = connection.execute(_SOURCE, {"table": table.name}).scalar() or ""
    if _COLLATION.search(source):
        return names  # a collation of the application's own
    if "COLLATE" not in source.upper() or not names:
        return []
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    columns = ", ".join(f"{column} AS c{place}" for place, column in enumerate(quoted))
    letters = ", ".join("'a'" for _ in quoted)
    equal = ", ".join(f"c{place} = 'A' OR c{place} = 'a '" for place in range(len(quoted)))
    table_name = '"' + table.name.replace('"', '""') + '"'
    row = connection.exec_driver_sql(
        f"SELECT {equal} FROM (SELECT {columns} FROM {table_name} WHERE 0 UNION ALL SELECT {letters})"
    ).one()
    return [name for name, is_collated in zip(names, row, strict=True) if is_collated]
