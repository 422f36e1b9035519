"""Which form each column of a table has, by what the database says of its type."""

import re
from collections.abc import Mapping

from sqlalchemy import Connection, Table, text

from afterwork.store.journal.text_forms import OTHER

# The type behind domains, and the collation of the column itself. All that other collations take for equal is not the
# same text.
_ON_POSTGRESQL = text("""
WITH RECURSIVE typed AS (
    SELECT a.attname AS name, a.atttypid AS type, coalesce(c.collisdeterministic, true) AS is_plain
    FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
    WHERE a.attrelid = to_regclass(:table) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT name, t.typbasetype, is_plain FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype = 'd'
)
SELECT name, is_plain, t.oid AS number, t.typtype = 'e' AS is_enum,
       CASE n.nspname WHEN 'pg_catalog' THEN t.typname END AS type
FROM typed JOIN pg_type t ON t.oid = typed.type JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype <> 'd'
""")

_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("text", "varchar", "name"), "text"),
    "bool": "boolean",
    "bpchar": "padded",
    **{name: name for name in ("uuid", "date", "timestamp", "timestamptz", "time", "numeric", "bytea")},
}


def forms_on_postgresql(connection: Connection, name: str) -> dict[str, str]:
    """The forms of the columns of a table with this full name."""
    found = {}
    for row in connection.execute(_ON_POSTGRESQL, {"table": name}):
        known = "text" if row.is_enum else _TYPES.get(row.type)
        found[row.name] = known if known is not None and row.is_plain else f"{OTHER} {row.number}"
    return found


_ON_SQLITE = text("SELECT name, type FROM pragma_table_xinfo(:table) WHERE hidden <> 1 ORDER BY cid")
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


def forms_on_sqlite(connection: Connection, table: Table) -> dict[str, str]:
    """The forms of the columns of a table, by their affinities and collations."""
    found = {row.name: affinity(row.type) for row in connection.execute(_ON_SQLITE, {"table": table.name})}
    with_texts = [name for name, known in found.items() if known not in {"integer", "real"}]
    return found | dict.fromkeys(_collated(connection, table, with_texts), "collated")


def affinity(declared: str) -> str:
    """What SQLite makes of values in a column of a declared type."""
    words = declared.upper()
    return next((name for word, name in _AFFINITIES if word in words), "numeric" if words else "blob")


def _collated(connection: Connection, table: Table, names: list[str]) -> list[str]:
    """The columns in which texts can be equal without being the same. SQLite has no better way to say so than to
    compare: the columns of a union take after those of its first part."""
    source = connection.execute(_SOURCE, {"table": table.name}).scalar() or ""
    if _COLLATION.search(source):
        return names  # one of the application's own
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
