"""The schema of a tenant, where SQLAlchemy translates tables without a schema to it (`schema_translate_map`).

Most of Afterwork's statements are text, which SQLAlchemy doesn't translate. So connections find all tables without a
schema by their search path, which begins with the tenant's schema.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from afterwork.errors import UnsupportedDatabase
from afterwork.store.journal.values import quoted

TRANSLATED = "schema_translate_map"
"""The execution option of SQLAlchemy by which schemas are translated."""

OWN_ENTRY = "_none"
"""The key under which SQLAlchemy itself repeats the entry for tables without a schema, once it has translated one."""

_PATH = text("SELECT current_setting('search_path')")
_SET_PATH = text("SELECT set_config('search_path', :path, true)")
_PREFER = (
    "SELECT set_config('search_path',"
    " concat_ws(', ', CAST(%(first)s AS text), nullif(current_setting('search_path'), '')), true)"
)


def tenant_schema(options: Mapping[str, Any]) -> str | None:
    """Return the schema to which execution options translate tables without one; None if they don't.

    Raises `UnsupportedDatabase` if they translate schemas that have a name.
    """
    translated: Mapping[str | None, str | None] = options.get(TRANSLATED) or {}
    for schema, other in translated.items():
        if schema not in (None, OWN_ENTRY, other):
            raise UnsupportedDatabase(
                f"{TRANSLATED} translates the schema {schema!r} to {other!r}. Afterwork knows tables by the names that "
                "the model gives them, so it can follow only a translation of tables without a schema. Declare the "
                f"tenants' tables without one, and translate {{None: {other!r}}}; tables that all share keep theirs."
            )
    return translated.get(None)


def refuse_translation(options: Mapping[str, Any]) -> None:
    """Raise `UnsupportedDatabase` if execution options translate schemas, which are files on SQLite."""
    if options.get(TRANSLATED):
        raise UnsupportedDatabase(
            f"{TRANSLATED} leads to an attached file on SQLite. What is saved in two files at once may be saved in one "
            "of them alone after a crash, so Afterwork's tables and yours are in one file. Give each tenant an engine "
            "for a file of its own."
        )


def path_to(schema: str, path: str) -> str:
    """Return a search path that begins with a schema."""
    return ", ".join(filter(None, (quoted(schema), path)))


def prefer(schema: str) -> Callable[[Connection], None]:
    """Return a listener for the begin of transactions on PostgreSQL, which lets them search a schema first."""

    def begun(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(_PREFER, {"first": path_to(schema, "")})
        cursor.close()

    return begun


@contextmanager
def in_tenant_schema(connection: Connection) -> Iterator[None]:
    """Let the block's statements find the tables of a connection's tenant, whether they are translated or not."""
    schema = tenant_schema(connection.get_execution_options())
    if schema is None:
        yield
        return
    path = connection.execute(_PATH).scalar_one()
    connection.execute(_SET_PATH, {"path": path_to(schema, path)})
    yield
    connection.execute(_SET_PATH, {"path": path})  # after an error, the transaction or its savepoint takes it back
