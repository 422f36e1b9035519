"""The text forms of columns on PostgreSQL, by their types in the catalog."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from afterwork.store.journal.text_forms import OTHER

# The type behind domains, and the column's own collation. Texts that other collations treat as equal may differ.
_COLUMNS = text("""
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


def column_forms(connection: Connection, name: str) -> dict[str, str]:
    """Return the names of the forms of the columns of a table with this full name."""
    forms = {}
    for row in connection.execute(_COLUMNS, {"table": name}):
        known = "text" if row.is_enum else _TYPES.get(row.type)
        forms[row.name] = known if known is not None and row.is_plain else f"{OTHER} {row.number}"
    return forms
