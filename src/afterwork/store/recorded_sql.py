"""Recorded SQL: the statements that a transaction writes with, as a script for people to run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

READING = ("SELECT", "WITH", "SHOW", "PRAGMA")
"""The words with which statements of an installation begin that only read."""


@contextmanager
def recorded(connection: Connection, ignored: Sequence[str] = ()) -> Iterator[list[str]]:
    """Record what a connection writes within the block, with all values. Statements that begin as one of `ignored` are
    left out."""
    statements: list[str] = []

    def record(_: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        if not statement.lstrip().upper().startswith(READING) and not statement.startswith(tuple(ignored)):
            for values in parameters if executemany else [parameters]:
                statements.append(f"{_with_values(connection, statement, values).strip()};")

    event.listen(connection, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", record)


def _with_values(connection: Connection, statement: str, values: Any) -> str:
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "postgresql":
        from psycopg import ClientCursor

        return ClientCursor(driver).mogrify(statement, values)
    parts = statement.split("?")
    literals = [driver.execute("SELECT quote(?)", (value,)).fetchone()[0] for value in values or ()]
    if len(parts) != len(literals) + 1:  # a question mark within a text, where there are no values
        return statement
    return "".join(part + literal for part, literal in zip(parts, [*literals, ""], strict=True))
