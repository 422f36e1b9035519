"""Removal on PostgreSQL of triggers and indexes on the application's tables."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

# Capture, waking, commit, whichever application has them. With a function go the triggers that execute it.
_FUNCTIONS = text("""
SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_class c ON c.relnamespace = p.pronamespace
WHERE c.oid = to_regclass('afterwork_installation') AND starts_with(p.proname, 'afterwork_') ORDER BY 1
""")

# Tickets may be in a schema of their own, but not in one that has another installation, such as another tenant's.
_INDEXES = text("""
SELECT x.relname AS name, t.relname AS "table", i.indexrelid::regclass::text AS quoted
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE starts_with(x.relname, 'afterwork_') AND NOT EXISTS (
  SELECT FROM pg_class other WHERE other.relname = 'afterwork_installation'
  AND other.relnamespace = t.relnamespace AND other.oid IS DISTINCT FROM to_regclass('afterwork_installation'))
ORDER BY 1
""")

_SCHEMA = text(
    "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = to_regclass('afterwork_installation')"
)


def drop_triggers(connection: Connection) -> Iterator[str]:
    """Drop all triggers, with their functions. Yields a line for each."""
    for function in connection.execute(_FUNCTIONS).scalars().all():
        connection.exec_driver_sql(f"DROP FUNCTION {function} CASCADE")
        yield f"function {function} and its triggers dropped"


def schema_of(connection: Connection) -> str | None:
    """Return the schema that has Afterwork's tables; None if none of those on the search path has them."""
    return connection.execute(_SCHEMA).scalar()


def named_indexes(connection: Connection) -> list[tuple[str, str, str]]:
    """Return the indexes with names like Afterwork's, each with its table and its quoted name."""
    return [(row.name, row.table, row.quoted) for row in connection.execute(_INDEXES)]
